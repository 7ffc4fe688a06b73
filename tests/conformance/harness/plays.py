"""Plays side by side, each a process in a namespace of its own, the longest first."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness.children import GRACE, Stopped
from harness.namespace import inside

HERE = Path(__file__).resolve().parent.parent
LIMIT = 600.0
"""No play takes that long, in seconds."""


class Plays:
    def __init__(self, jobs, keep):
        self._jobs, self._keep = jobs, keep
        self._lock = threading.Lock()
        self._running, self._stopped = set(), False

    def run(self, specs):
        """The outcomes by name of the specs, which are given in the order in which they start."""
        with tempfile.TemporaryDirectory(prefix="irsa-sidecar-conformance-") as scratch:
            base = self._keep.resolve() if self._keep else Path(scratch) / "logs"
            pool = ThreadPoolExecutor(self._jobs)
            try:
                playing = {
                    pool.submit(self._play, {**spec, **_places(base, Path(scratch), name)}): name
                    for name, spec in specs.items()
                }
                outcomes = {}
                for done in as_completed(playing):
                    name = playing[done]
                    outcomes[name], took = done.result()
                    verdict = "✗" if outcomes[name]["complaints"] else "✔"
                    print(f"{verdict} {name}: {took:.1f} s", file=sys.stderr, flush=True)
                return outcomes
            finally:
                # Ends the processes first, so that nobody waits for one.
                self.end()
                pool.shutdown(cancel_futures=True)

    def end(self):
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _close(process.stdin)

    def _play(self, spec):
        begun = time.monotonic()
        errors = Path(spec["directory"]) / "play.stderr"
        with errors.open("wb") as stderr:
            process = self._start(stderr)
        try:
            process.stdin.write(json.dumps(spec).encode() + b"\n")
            process.stdin.flush()
            limit = threading.Timer(LIMIT, _close, [process.stdin])
            limit.start()
            said = process.stdout.read()
            limit.cancel()
        finally:
            self._finish(process)
        took = time.monotonic() - begun
        if self._stopped and process.returncode:
            raise Stopped
        if process.returncode:
            why = errors.read_text(errors="replace").strip() or f"it took more than {LIMIT:.0f} s"
            return {"complaints": [f"{spec['row']}, {spec['play']}: the play ended with {process.returncode}: {why}"]}, took
        return json.loads(said), took

    def _start(self, stderr):
        argv = [*inside(), sys.executable, "-m", "harness.play"]
        with self._lock:
            if self._stopped:
                raise Stopped
            # A group of its own: Ctrl-C reaches the run, and the run ends the plays.
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=HERE, start_new_session=True
            )
            self._running.add(process)
        return process

    def _finish(self, process):
        _close(process.stdin)
        try:
            process.wait(3 * GRACE)
        except subprocess.TimeoutExpired:
            # unshare's end is its child's, and that one's the end of all others in there.
            process.kill()
            process.wait()
        process.stdout.close()
        with self._lock:
            self._running.discard(process)


def _places(base, scratch, name):
    directory, own = base / name.replace(":", "-"), scratch / "scratch" / name.replace(":", "-")
    # What an earlier run kept there is not this one's.
    shutil.rmtree(directory, ignore_errors=True)
    for place in (directory, own):
        place.mkdir(parents=True)
    return {"directory": str(directory), "scratch": str(own)}


def _close(stdin):
    try:
        stdin.close()
    except OSError:
        pass
