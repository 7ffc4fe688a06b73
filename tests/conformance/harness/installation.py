"""Everything that a run needs beside itself: binaries, servers and clients, kept in a cache outside the checkout."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.children import Unavailable

TOGETHER = 2


@dataclass
class Installed:
    commands: dict = field(default_factory=dict)
    """By client."""
    servers: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)
    """Why, by language."""

    def has(self, row):
        return row.client.id in self.commands


def cache():
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "irsa-sidecar"
    return Path(os.environ.get("BUILD_CACHE") or default) / "conformance"


def binary(path):
    if not os.access(path, os.X_OK) or path.is_dir():
        raise Unavailable(f"{path} is not an executable file; build it with `cargo build --workspace`, or `make images`")
    return str(path.resolve())


def install(rows, strict):
    """Strict, a language that cannot be had is an error, and else it is left out, with the reason."""
    from minio import toolchain as minio
    from python import toolchain as python

    place, installed = cache(), Installed()
    clients = {row.client.id: row for row in rows}
    with ThreadPoolExecutor(TOGETHER) as pool:
        servers = {"minio": pool.submit(minio.server, place)}
        if any(row.shares or "who" in row.described.get("lacks", []) for row in rows):
            servers["moto"] = pool.submit(python.moto, place)
        building = {name: pool.submit(row.client.install, place) for name, row in clients.items()}
        for name, future in building.items():
            try:
                installed.commands[name] = asdict(future.result())
            except Unavailable as missing:
                if strict:
                    raise
                installed.skipped[clients[name].language] = str(missing)
        installed.servers = {name: asdict(future.result()) for name, future in servers.items()}
    for language, why in installed.skipped.items():
        print(f"SKIPPED {language}: {why}", file=sys.stderr)
    return installed
