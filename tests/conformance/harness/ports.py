"""Ports for servers that must be told theirs."""

import errno
import random
import socket
import threading

# Below the range that Linux gives to outgoing connections: none of those can take a port between look and use.
RANGE = range(20000, 32000)
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

_lock = threading.Lock()
_taken = set()


def free_port():
    """A port that is free on 127.0.0.1 and ::1, and is given to nobody else in this process."""
    with _lock:
        while True:
            port = random.choice(RANGE)
            if port not in _taken and _is_free(port):
                _taken.add(port)
                return port


def _is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in NO_IPV6:
                continue
            return False
    return True
