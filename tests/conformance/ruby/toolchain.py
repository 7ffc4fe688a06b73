"""Ruby's part of the matrix: its clients, and how each is installed and started.

The runner asks each language's `toolchain.py` for `clients()`. The gems are Debian's packages: in place they are used as
they are, missing they are installed where that is possible. Their versions are Debian's choice, so they are looked at
before a client is started.
"""

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, read, step

HERE = Path(__file__).resolve().parent
RUBY = "/usr/bin/ruby"
"""Debian's own: another one in PATH does not find Debian's gems."""

APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-y", "-q"]
UNASKED = {"DEBIAN_FRONTEND": "noninteractive"}
APT_LOCK = threading.Lock()
INSTALLED = "installed "
NAMED = 'puts(Gem::Specification.map { |gem| "#{gem.name} #{gem.version}" })'


@dataclass(frozen=True)
class RubyClient(Client):
    program: str
    packages: list

    def install(self, directory):
        """Nothing goes into the cache."""
        with APT_LOCK:
            install(self.id, ["ruby", *self.packages])
        gems = installed_gems()
        for gem, version in self.versions.items():
            if version not in gems.get(gem, []):
                found = " and ".join(gems.get(gem, [])) or "none"
                raise Unavailable(f"{self.id} needs the gem {gem} {version}, which Debian 12 has; found {found}")
        return Command([RUBY, str(HERE / self.program)], {})


def clients():
    return read(RubyClient, HERE)


def install(name, packages):
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"{name} needs Debian's packages {' '.join(missing)}: `apt-get install` them, as root")
    print(f"installing {' '.join(missing)} …", file=sys.stderr, flush=True)
    update()
    step([*APT, "install", "--no-install-recommends", *missing], environment=UNASKED)


@cache
def update():
    """A new machine has no list of packages, and an old list names what is no longer there."""
    step([*APT, "update"], environment=UNASKED)


def is_installed(package):
    try:
        said = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${db:Status-Status} ", package],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return False
    return said.returncode == 0 and said.stdout == INSTALLED


def installed_gems():
    """All versions by name."""
    gems = {}
    for line in step([RUBY, "-e", NAMED]).stdout.splitlines():
        gem, version = line.split(" ", 1)
        gems.setdefault(gem, []).append(version)
    return gems
