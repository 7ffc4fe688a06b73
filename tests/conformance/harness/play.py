"""One play, as a process of its own inside its namespace: `python -m harness.play`.

The first line on stdin says what is to be played, and the end of stdin ends it; the outcome is one line on stdout.
"""

import sys

sys.dont_write_bytecode = True

import json
import os
import signal
import threading

from harness.asking import Asking
from harness.children import Children, Stopped
from harness.coexistence import Coexisting
from harness.process import Processing
from harness.race import Racing
from harness.sharing import Sharing
from harness.storing import Storing
from harness.wrapping import Wrapping

PLAYS = {
    "emulator": Asking,
    "exec": Wrapping,
    "minio": Storing,
    "coexistence": Coexisting,
    "process": Processing,
    "race": Racing,
    "roles": Sharing,
}


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spec = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_stdin, daemon=True).start()
    children = Children()
    try:
        outcome = PLAYS[spec["play"]](children, spec).run()
    except (KeyboardInterrupt, Stopped):
        return 130
    finally:
        children.end_all()
    print(json.dumps(outcome.as_dict()), flush=True)
    return 0


def end_with_stdin():
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
