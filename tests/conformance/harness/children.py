"""Processes that the run starts: each with an environment of its own, its output in files, and a certain end."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0
"""Longer than any single wait takes on a slow machine, in seconds; a wait ends when its condition holds."""

POLL = 0.05
GRACE = 5.0


class Unavailable(Exception):
    """Something that the run needs cannot be had; no verdict on the product."""


class Failed(Exception):
    """A condition that had to come true did not."""


class Stopped(Exception):
    """The run was told to end."""


@dataclass(frozen=True)
class Command:
    argv: list
    environment: dict


class Children:
    """All of them, so that one call ends all of them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = []
        self._stopping = threading.Event()

    def start(self, argv, environment, directory, name, **pipes):
        """Its output goes to NAME.stdout and NAME.stderr in the directory, but for what `pipes` says."""
        directory = Path(directory)
        home = directory / "home"
        home.mkdir(exist_ok=True)
        base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8"}
        with contextlib.ExitStack() as files:
            for stream in ("stdout", "stderr"):
                if stream not in pipes:
                    pipes[stream] = files.enter_context((directory / f"{name}.{stream}").open("wb"))
            pipes.setdefault("stdin", subprocess.DEVNULL)
            with self._lock:
                if self._stopping.is_set():
                    raise Stopped
                # A group of its own: Ctrl-C reaches the run, and the run ends its children.
                child = subprocess.Popen(
                    argv, env={**base, **environment}, cwd=directory, start_new_session=True, **pipes
                )
                self._running.append(child)
        return child

    def end(self, child, how=signal.SIGTERM, patience=GRACE):
        with self._lock:
            if child in self._running:
                self._running.remove(child)
        _end([child], how, patience)

    def end_all(self):
        self._stopping.set()
        with self._lock:
            running, self._running = self._running, []
        _end(running)

    def pause(self, seconds):
        """Between two polls."""
        if self._stopping.wait(seconds):
            raise Stopped

    def wait_until(self, what, condition, patience=PATIENCE):
        """Gives what `condition()` gives once that is true; exceptions of a server not yet there mean "not yet"."""
        deadline = time.monotonic() + patience
        while True:
            try:
                found = condition()
            except OSError:
                found = None
            if found:
                return found
            if time.monotonic() > deadline:
                raise Failed(f"waited {patience:.0f} s in vain: {what}")
            self.pause(POLL)


def must_run(child, log):
    if child.poll() is not None:
        raise Failed(f"it ended with status {child.returncode}:\n{log.read_text(errors='replace').strip()}")


def _end(children, how=signal.SIGTERM, patience=GRACE):
    for child in children:
        if child.poll() is None:
            child.send_signal(how)
    for child in children:
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
