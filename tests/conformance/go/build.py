"""Builds small Go programs, once each, into the cache.

A program is its go.mod, its go.sum and its sources. The build happens in a directory of its own, so that several
modules can share a source file, and uses the committed sums and nothing newer; modules and compiled packages are kept
where Go keeps them for this user.
"""

import shutil
from functools import cache

from harness.children import Unavailable
from harness.toolchain import beside, place, step

FLAGS = ["-trimpath", "-ldflags=-s -w"]
SETTINGS = {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
# The Go that is here, and no other that a go.mod might send for.
SETTINGS["GOTOOLCHAIN"] = "local"
OLDEST = (1, 24)


def build(name, files, directory, remark=""):
    """The program that these files make, one of them a go.mod and one a go.sum."""
    compiler = go(name)
    content = compiler.encode()
    for file in sorted(files, key=lambda file: file.name):
        content += f"\0{file.name}\0".encode() + file.read_bytes()
    wanted = place(directory / "go", name, content)
    if not wanted.exists():
        with beside(wanted, f"building {wanted.name} ({compiler}){remark}", "program") as scratch:
            for file in files:
                shutil.copy(file, scratch)
            step(["go", "build", *FLAGS, "-o", str(scratch / "program"), "."], scratch, SETTINGS)
    return wanted


@cache
def go(name):
    """What Go calls itself: version, system, architecture."""
    needs = f"{name} needs Go {OLDEST[0]}.{OLDEST[1]} or later in PATH (Debian's package golang-go)"
    if not shutil.which("go"):
        raise Unavailable(f"{needs}; there is none")
    said = step(["go", "env", "GOVERSION", "GOOS", "GOARCH"], environment=SETTINGS).stdout.split()
    version = tuple(int(part) for part in said[0].removeprefix("go").split("-")[0].split(".")[:2] if part.isdigit())
    if version < OLDEST:
        raise Unavailable(f"{needs}; found {said[0]}")
    return " ".join(said)
