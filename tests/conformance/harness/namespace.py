"""A network namespace of its own for each play, with nothing in it but `lo`; it ends with the last process in it.

The link-local addresses are claimed in there and never outside. A process namespace goes with it: when a play's first
process ends, however it ends, the kernel ends whatever it had started.
"""

import os
import subprocess
from functools import cache

from harness.children import Failed, Unavailable

UNSHARE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


@cache
def inside():
    """What goes before a command so that it runs in a namespace."""
    argv = UNSHARE if os.geteuid() == 0 else [*UNSHARE, "--user", "--map-root-user"]
    try:
        done = subprocess.run([*argv, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unavailable(f"unshare (Debian's package util-linux) cannot be run: {error}") from None
    if done.returncode:
        raise Unavailable(
            "a network namespace cannot be made here; it takes root or user namespaces, and `ip` (Debian's package "
            f"iproute2). `{' '.join(argv)} ip link set lo up` says: {done.stderr.strip()}"
        )
    return argv


def claim(binary, listen):
    """To be called inside: what a pod has of its own, and on `lo` the link-local addresses of `listen`, as the init
    container does it."""
    _run(["ip", "link", "set", "lo", "up"])
    _run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"])
    if listen:
        _run([str(binary), "net-init", "--listen", listen])


def _run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"`{' '.join(argv)}` ended with status {done.returncode}: {(done.stderr or done.stdout).strip()}")
