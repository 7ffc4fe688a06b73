"""JavaScript's part of the matrix: its clients, and how each is installed and started.

The runner asks each language's `toolchain.py` for `clients()`. What `npm ci` makes of a row's lock file, which holds the
hash of each package, is kept in the cache under a hash of that file, so a changed pin gives a new one.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "packages"
PINS = ("package.json", "package-lock.json")
NODE_FROM = 20
"""What version 3 of the SDK asks for; the old ones run on it as they are."""


@dataclass(frozen=True)
class Client:
    id: str
    name: str
    year: int
    versions: dict
    endpoints: dict
    not_: dict
    program: str
    needed: str

    def install(self, directory):
        node = suitable(self.id)
        modules = install(self.id, directory)
        # Node looks for packages beside the program first, and there are none.
        return Command([node, str(HERE / self.program)], {"NODE_PATH": str(modules)})


def clients():
    given = json.loads((HERE / "clients.json").read_text(encoding="utf-8"))
    return [
        Client(
            c["id"], c["client"], c["year"], c["versions"], c["endpoints"], c.get("not", {}), c["program"], c["needed"]
        )
        for c in given
    ]


def install(name, directory):
    """The `node_modules` with what `packages/NAME` pins."""
    pins = [PACKAGES / name / pin for pin in PINS]
    key = hashlib.sha256(b"\0".join(pin.read_bytes() for pin in pins)).hexdigest()[:16]
    wanted = directory / "javascript" / f"{name}-{key}"
    if not wanted.exists():
        build(pins, wanted)
    return wanted / "node_modules"


def build(pins, wanted):
    """Builds beside the place and renames: what stands there is whole, whoever else builds it at the same moment."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        print(f"installing {wanted.name} …", file=sys.stderr, flush=True)
        for pin in pins:
            shutil.copy(pin, scratch)
        # Packages run nothing of theirs: none of these needs it.
        step([found("npm"), "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"], scratch)
        try:
            scratch.rename(wanted)
        except OSError:
            if not wanted.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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


def step(argv, directory):
    done = subprocess.run(
        argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Unavailable(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{said}")
