"""Python's part of the matrix: its clients, and how each is installed and started.

The runner asks each language's `toolchain.py` for `clients()`, each a `Client` of harness/toolchain.py with
`install(cache)`, which gives a `Command`. Virtual environments are kept in the cache under a hash of what went into them,
so a changed pin gives a new one.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, beside, place, read, step

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"
MOTO_PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.version.split()[0], sys.base_prefix)"


@dataclass(frozen=True)
class PythonClient(Client):
    program: str
    python: list
    shim: bool

    def install(self, directory):
        environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        if self.shim:
            environment["PYTHONPATH"] = str(HERE / "shim")
        python = install(REQUIREMENTS / f"{self.id}.txt", self.python, directory)
        return Command([str(python), "-u", str(HERE / self.program)], environment)


@dataclass(frozen=True)
class Interpreter:
    path: str
    series: str
    identity: str


def clients():
    return read(PythonClient, HERE)


def moto(directory):
    """The command of moto's server, which is a package of this language whoever the client is."""
    return Command([str(install(REQUIREMENTS / "moto.txt", MOTO_PYTHONS, directory)), "-m", "moto.server"], {})


def install(requirements, pythons, directory):
    """The interpreter of a virtual environment that holds what the file pins."""
    name = requirements.stem
    interpreter = suitable(name, pythons)
    wanted = place(directory / "python", name, requirements.read_bytes() + interpreter.identity.encode())
    if not wanted.exists():
        with beside(wanted, f"installing {wanted.name} ({interpreter.series})") as scratch:
            step([interpreter.path, "-m", "venv", str(scratch)])
            pip = [str(scratch / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            # The file names all that is needed. What pip would make of the packages' own words is not asked for: the
            # old aws command wants a PyYAML that must be built, and works with today's.
            step([*pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements)])
    return wanted / "bin" / "python"


def suitable(name, pythons):
    seen = []
    for path in candidates():
        interpreter = probe(path)
        if interpreter and interpreter.series in pythons:
            return interpreter
        seen.append(f"{path} ({interpreter.series if interpreter else 'without venv or ensurepip, or not to be run'})")
    last = pythons[-1]
    raise Unavailable(
        f"{name} needs Python {' or '.join(pythons)} with venv; found {', '.join(seen) or 'none'}. "
        f"Have python{last} in PATH (Debian's packages: python{last} and python{last}-venv)"
    )


def candidates():
    """The runner's own first."""
    names = [sys.executable, *(f"python3.{minor}" for minor in range(10, 15)), "python3"]
    return dict.fromkeys(filter(None, map(shutil.which, names)))


@cache
def probe(path):
    """None when it cannot make a virtual environment."""
    try:
        said = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    series, version, prefix = said.rstrip("\n").split(" ", 2)
    return Interpreter(path, series, f"{version} {prefix} {os.uname().machine}")
