"""JavaScript's part of the matrix: its clients, and how each is installed and started.

The runner asks each language's `toolchain.py` for `clients()`. What `npm ci` makes of a row's lock file, which holds the
hash of each package, is kept in the cache under a hash of that file, so a changed pin gives a new one.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, beside, place, read, step

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "packages"
PINS = ("package.json", "package-lock.json")
NODE_FROM = 20
"""What version 3 of the SDK asks for; the old ones run on it as they are."""


@dataclass(frozen=True)
class JavaScriptClient(Client):
    program: str

    def install(self, directory):
        node = suitable(self.id)
        modules = install(self.id, directory)
        # Node looks for packages beside the program first, and there are none.
        return Command([node, str(HERE / self.program)], {"NODE_PATH": str(modules)})


def clients():
    return read(JavaScriptClient, HERE)


def install(name, directory):
    """The `node_modules` with what `packages/NAME` pins."""
    pins = [PACKAGES / name / pin for pin in PINS]
    wanted = place(directory / "javascript", name, b"\0".join(pin.read_bytes() for pin in pins))
    if not wanted.exists():
        with beside(wanted, f"installing {wanted.name}") as scratch:
            for pin in pins:
                shutil.copy(pin, scratch)
            # Packages run nothing of theirs: none of these needs it.
            step([found("npm"), "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"], scratch)
    return wanted / "node_modules"


def suitable(name):
    node = found("node")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = re.match(r"v(\d+)\.", said)
    if not major or int(major[1]) < NODE_FROM:
        raise Unavailable(f"{name} needs Node.js {NODE_FROM} or later; {node} is {said or 'not to be run'}")
    return node


def found(program):
    path = shutil.which(program)
    if not path:
        raise Unavailable(f"the JavaScript clients need {program}: install Node.js {NODE_FROM} or later, with npm")
    return path
