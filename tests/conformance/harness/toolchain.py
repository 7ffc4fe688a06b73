"""What the languages' toolchains share: clients as clients.json has them, steps of an installation, places in the cache."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

from harness.children import Unavailable


@dataclass(frozen=True)
class Client:
    """A language adds what is its own, by the names that its clients.json uses, and `install(cache)`: the `Command`."""

    id: str
    name: str
    year: int
    versions: dict
    endpoints: dict
    not_: dict
    needed: str


def read(kind, directory):
    """The clients of the directory's clients.json; `kind` is the language's own `Client`."""
    own = {field.name for field in fields(kind)} - {field.name for field in fields(Client)}
    return [
        kind(
            id=c["id"],
            name=c["client"],
            year=c["year"],
            versions=c["versions"],
            endpoints=c["endpoints"],
            not_=c.get("not", {}),
            needed=c["needed"],
            **{key: c[key] for key in own & c.keys()},
        )
        for c in json.loads((directory / "clients.json").read_text(encoding="utf-8"))
    ]


def place(directory, name, content):
    """Where that is kept which is built of this content: another content, another place."""
    return directory / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"


@contextlib.contextmanager
def beside(wanted, doing, product=""):
    """A directory to build in, which (or the product in which) is renamed to the place that is wanted.

    What stands there is whole, whoever else builds it at the same moment.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        print(f"{doing} …", file=sys.stderr, flush=True)
        yield scratch
        try:
            (scratch / product).rename(wanted)
        except OSError:
            if not wanted.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def step(argv, directory=None, environment=None):
    """The finished process, with its output as text."""
    done = subprocess.run(
        argv,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        # Both: Maven names its errors on stdout, whatever the JVM says on stderr.
        said = (done.stdout + done.stderr).strip()
        raise Unavailable(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{said}")
    return done
