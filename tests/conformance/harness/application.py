"""A client process: an application that knows one way to its credentials and lives through the whole story."""

import json
import queue
import subprocess
import threading
from pathlib import Path

from harness.children import PATIENCE, Failed
from harness.endpoints import REGION


class Raised(Failed):
    """The SDK raised."""


class Application:
    def __init__(self, children, command, directory, name, told):
        """`told` is what its environment says of AWS, beside the region."""
        directory = Path(directory)
        environment = {**command.environment, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **told}
        self._children = children
        self._stderr = directory / f"{name}.stderr"
        self._answers = queue.Queue()
        self._child = children.start(
            command.argv, environment, directory, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        threading.Thread(target=self._read, args=(directory / f"{name}.stdout",), daemon=True).start()
        self.versions = self._answer()

    def call(self, do, **arguments):
        """What the call gave; `Raised` with what the SDK raised."""
        try:
            self._child.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise Failed(f"the client ended: {self.errors()}") from None
        answer = self._answer()
        if "error" in answer:
            raise Raised(f"{do}: {answer['error']}")
        return answer["ok"]

    def errors(self):
        return self._stderr.read_text(errors="replace").strip()

    def end(self):
        self._children.end(self._child)

    def leave(self, how=None):
        """Its exit status, when its input ends or on that signal."""
        if how is None:
            self._child.stdin.close()
        else:
            self._child.send_signal(how)
        try:
            return self._child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"for {PATIENCE:.0f} s it did not end: {self.errors()}") from None

    def _answer(self):
        try:
            line = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            raise Failed(f"the client said nothing for {PATIENCE:.0f} s: {self.errors()}") from None
        if line is None:
            raise Failed(f"the client ended: {self.errors()}")
        try:
            return json.loads(line)
        except ValueError:
            raise Failed(f"the client said what is no answer: {line.decode(errors='replace').strip()}") from None

    def _read(self, copy):
        with copy.open("wb") as out, self._child.stdout as lines:
            for line in lines:
                out.write(line)
                out.flush()
                self._answers.put(line)
        self._answers.put(None)
