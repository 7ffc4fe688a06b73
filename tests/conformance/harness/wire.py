"""Listens in on `lo` for what clients say to the sidecar that no log has: User-Agents and IMDS session tokens.

Only the play's own namespace is heard. A request's head is one segment on loopback, whose packets hold 64 KiB.
"""

import re
import socket
import struct
import threading

from harness.endpoints import PORT

ALL_PROTOCOLS = 3
ETHERNET, IPV4, IPV6, TCP = 14, 0x0800, 0x86DD, 6
PORTS = {80, PORT}
BUFFER = 8 << 20
USER_AGENT = re.compile(rb"\r\nuser-agent:[ \t]*([^\r\n]*)", re.IGNORECASE)
METADATA_TOKEN = re.compile(rb"\r\nx-aws-ec2-metadata-token:[ \t]*([^\r\n]+)", re.IGNORECASE)
REQUEST = re.compile(rb"(GET|PUT|HEAD|POST) [^\r\n]+ HTTP/1\.[01]\r\n")


class Wire:
    def __init__(self, ignored):
        """`ignored` is the harness's own User-Agent."""
        self._ignored = ignored
        self._lock = threading.Lock()
        self._agents, self._tokens = set(), set()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._socket.bind(("lo", 0))
        threading.Thread(target=self._listen, daemon=True).start()

    def user_agents(self):
        """Those of requests to the sidecar; an empty one stands for none."""
        with self._lock:
            return sorted(self._agents)

    def metadata_tokens(self):
        with self._lock:
            return set(self._tokens)

    def _listen(self):
        while True:
            payload = _to_sidecar(self._socket.recv(1 << 17))
            if payload and REQUEST.match(payload):
                self._note(payload)

    def _note(self, head):
        agent = USER_AGENT.search(head)
        name = agent[1].decode(errors="replace") if agent else ""
        token = METADATA_TOKEN.search(head)
        with self._lock:
            if name != self._ignored:
                self._agents.add(name)
            if token:
                self._tokens.add(token[1].decode(errors="replace"))


def _to_sidecar(packet):
    """What a TCP segment to one of the ports carries."""
    (kind,) = struct.unpack_from("!H", packet, 12)
    if kind == IPV4 and packet[ETHERNET + 9] == TCP:
        segment = ETHERNET + (packet[ETHERNET] & 0x0F) * 4
    elif kind == IPV6 and packet[ETHERNET + 6] == TCP:
        segment = ETHERNET + 40
    else:
        return b""
    (port,) = struct.unpack_from("!H", packet, segment + 2)
    return packet[segment + (packet[segment + 12] >> 4) * 4 :] if port in PORTS else b""
