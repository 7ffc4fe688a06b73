"""The runner's side of a client program in Python: requests on stdin, answers on stdout, as `client.py` describes."""

import json
import subprocess
import sys


class Refused(Exception):
    """What a program that is run for each call said when it failed."""


def answer(versions, calls):
    """Until stdin ends; `calls` has a function for each thing to do."""
    say(versions)
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        try:
            say({"ok": calls[request.pop("do")](**request)})
        except Exception as error:
            say({"error": "%s: %s" % (type(error).__name__, error)})


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def run(argv, stdin=b""):
    """What the program wrote; `Refused` unless its status is 0."""
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise Refused(f"status {done.returncode}: {said}")
    return done.stdout
