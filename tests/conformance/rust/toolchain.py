"""Rust's part of the matrix: its clients, and how each is built and started.

The runner asks each language's `toolchain.py` for `clients()`. Each client is a package of its own, with its lock file,
and what cargo makes of it is kept in the cache under a hash of the sources, the lock file and the compiler.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable

HERE = Path(__file__).resolve().parent
SHARED = HERE / "protocol.rs"


@dataclass(frozen=True)
class Client:
    id: str
    name: str
    year: int
    versions: dict
    endpoints: dict
    not_: dict
    needed: str
    package: str

    def install(self, directory):
        return Command([str(install(self.package, directory))], {})


def clients():
    given = json.loads((HERE / "clients.json").read_text(encoding="utf-8"))
    return [
        Client(
            c["id"], c["client"], c["year"], c["versions"], c["endpoints"], c.get("not", {}), c["needed"], c["package"]
        )
        for c in given
    ]


def install(package, directory):
    """The program that `PACKAGE/` is."""
    rustc = compiler()
    sources = [SHARED, *(HERE / package / name for name in ("Cargo.toml", "Cargo.lock", "src/main.rs"))]
    key = hashlib.sha256(b"\0".join([rustc.encode(), *(source.read_bytes() for source in sources)])).hexdigest()[:16]
    wanted = directory / "rust" / f"{package}-{key}"
    if not wanted.exists():
        build(package, rustc.split()[1], wanted)
    return wanted


def build(package, rustc, wanted):
    """Builds beside the place and renames: what stands there is whole, whoever else builds it at the same moment."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
    try:
        print(f"building {wanted.name} (rustc {rustc}) …", file=sys.stderr, flush=True)
        cargo = ["cargo", "build", "--quiet", "--locked", "--target-dir", str(scratch)]
        step([*cargo, "--config", f"env.CONFORMANCE_RUSTC='{rustc}'"], HERE / package)
        (scratch / "debug" / f"conformance-{package}").rename(wanted)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compiler():
    """As it calls itself, which tells one build from another: `rustc 1.95.0 (f2d3ce0bd 2026-03-21)`."""
    for program in ("cargo", "rustc"):
        if not shutil.which(program):
            raise Unavailable(f"the Rust clients need {program}, and a C compiler; see rust-toolchain.toml")
    return step(["rustc", "--version"], HERE).strip()


def step(argv, directory):
    done = subprocess.run(
        argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Unavailable(f"`{' '.join(argv)}` failed with status {done.returncode}:\n{said}")
    return done.stdout
