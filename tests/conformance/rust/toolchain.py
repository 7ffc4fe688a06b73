"""Rust's part of the matrix: its clients, and how each is built and started.

The runner asks each language's `toolchain.py` for `clients()`. Each client is a package of its own, with its lock file,
and what cargo makes of it is kept in the cache under a hash of the sources, the lock file and the compiler.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, beside, place, read, step

HERE = Path(__file__).resolve().parent
SHARED = HERE / "protocol.rs"


@dataclass(frozen=True)
class RustClient(Client):
    package: str

    def install(self, directory):
        return Command([str(install(self.package, directory))], {})


def clients():
    return read(RustClient, HERE)


def install(package, directory):
    """The program that `PACKAGE/` is."""
    rustc = compiler()
    sources = [SHARED, *(HERE / package / name for name in ("Cargo.toml", "Cargo.lock", "src/main.rs"))]
    content = b"\0".join([rustc.encode(), *(source.read_bytes() for source in sources)])
    wanted = place(directory / "rust", package, content)
    if not wanted.exists():
        version = rustc.split()[1]
        doing = f"building {wanted.name} (rustc {version})"
        with beside(wanted, doing, f"debug/conformance-{package}") as scratch:
            cargo = ["cargo", "build", "--quiet", "--locked", "--target-dir", str(scratch)]
            step([*cargo, "--config", f"env.CONFORMANCE_RUSTC='{version}'"], HERE / package, {"CARGO_PROFILE_DEV_DEBUG": "false"})
    return wanted


def compiler():
    """As it calls itself, which tells one build from another: `rustc 1.95.0 (f2d3ce0bd 2026-03-21)`."""
    for program in ("cargo", "rustc"):
        if not shutil.which(program):
            raise Unavailable(f"the Rust clients need {program}, and a C compiler; see rust-toolchain.toml")
    return step(["rustc", "--version"], HERE).stdout.strip()
