"""Builds small Go programs, once each, into the cache.

A program is its go.mod, its go.sum and its sources. The build happens in a directory of its own, so that several
modules can share a source file, and uses the committed sums and nothing newer; modules and compiled packages are kept
where Go keeps them for this user.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache

from harness.children import Unavailable

FLAGS = ["-trimpath", "-ldflags=-s -w"]
SETTINGS = {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
# The Go that is here, and no other that a go.mod might send for.
SETTINGS["GOTOOLCHAIN"] = "local"
OLDEST = (1, 24)


def build(name, files, directory, remark=""):
    """The program that these files make, one of them a go.mod and one a go.sum."""
    compiler = go(name)
    key = hashlib.sha256(compiler.encode())
    for file in sorted(files, key=lambda file: file.name):
        key.update(f"\0{file.name}\0".encode() + file.read_bytes())
    wanted = directory / "go" / f"{name}-{key.hexdigest()[:16]}"
    if not wanted.exists():
        wanted.parent.mkdir(parents=True, exist_ok=True)
        print(f"building {wanted.name} ({compiler}){remark} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f".{wanted.name}.", dir=wanted.parent) as scratch:
            for file in files:
                shutil.copy(file, scratch)
            step(["go", "build", *FLAGS, "-o", f"{scratch}/program", "."], scratch)
            # What stands there is whole, whoever else builds it at the same moment.
            os.replace(f"{scratch}/program", wanted)
    return wanted


@cache
def go(name):
    """What Go calls itself: version, system, architecture."""
    needs = f"{name} needs Go {OLDEST[0]}.{OLDEST[1]} or later in PATH (Debian's package golang-go)"
    if not shutil.which("go"):
        raise Unavailable(f"{needs}; there is none")
    said = step(["go", "env", "GOVERSION", "GOOS", "GOARCH"], None).split()
    version = tuple(int(part) for part in said[0].removeprefix("go").split("-")[0].split(".")[:2] if part.isdigit())
    if version < OLDEST:
        raise Unavailable(f"{needs}; found {said[0]}")
    return " ".join(said)


def step(argv, directory):
    done = subprocess.run(
        argv,
        cwd=directory,
        env={**os.environ, **SETTINGS},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Unavailable(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{said}")
    return done.stdout
