"""A TCP relay on loopback between a client and a server: a witness, and a switch.

It passes bytes on unchanged, `Host` header included, and keeps what matters of them: the access key IDs that requests
were signed with, the tokens that were presented, and the credentials that answers gave out. Closed, its port refuses connections, so that one party
finds the server down while it serves everybody else.
"""

import re
import socket
import threading
import time

from harness.ports import free_port

CHUNK = 65536
SAID = re.compile(
    # A token is whole when something comes after it; irsa-sidecar sends DurationSeconds.
    rb"Credential=([A-Z0-9]+)/|\r\nauthorization: AWS ([A-Z0-9]+):|WebIdentityToken=([^&\s]+)&",
    re.IGNORECASE,
)
ISSUED = re.compile(
    rb"<AccessKeyId>([^<]+)</AccessKeyId>|<SecretAccessKey>([^<]+)</SecretAccessKey>|<SessionToken>([^<]+)</SessionToken>"
)


class Relay:
    def __init__(self, upstream):
        """`upstream` is a port on 127.0.0.1."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._sockets = set()
        self._signed_with = []
        self._presented = ""
        self._issued = []
        self._last_issued_at = 0.0
        self._secrets = set()
        self.port = free_port()
        self._listener = None
        self.open()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def signed_with(self):
        """The access key IDs of requests so far, one for each signed request, in order."""
        with self._lock:
            return list(self._signed_with)

    def issued(self):
        """The access key IDs that were given out, in order."""
        with self._lock:
            return [key for key, _ in self._issued]

    def issued_for(self, token):
        """Those of them for that very token."""
        with self._lock:
            return [key for key, presented in self._issued if presented == token]

    def last_issued_at(self):
        """When that was, last, by the monotonic clock."""
        with self._lock:
            return self._last_issued_at

    def secrets(self):
        """The secret access keys and session tokens that were given out."""
        with self._lock:
            return set(self._secrets)

    def open(self):
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self):
        """Closes the port and every connection."""
        listener, self._listener = self._listener, None
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in filter(None, [listener, *sockets]):
            _shut(each)

    def _accept(self, listener):
        with listener:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                try:
                    server = socket.create_connection(("127.0.0.1", self._upstream))
                except OSError:
                    client.close()
                    continue
                self._join(client, server)

    def _join(self, client, server):
        with self._lock:
            self._sockets |= {client, server}
        for source, sink, pattern, note in (
            (client, server, SAID, self._note_request),
            (server, client, ISSUED, self._note_answer),
        ):
            threading.Thread(target=self._pump, args=(source, sink, pattern, note), daemon=True).start()

    def _pump(self, source, sink, pattern, note):
        seen = bytearray()
        try:
            while chunk := source.recv(CHUNK):
                seen += chunk
                end = 0
                for match in pattern.finditer(seen):
                    note(match)
                    end = match.end()
                del seen[:end]
                sink.sendall(chunk)
        except OSError:
            pass
        finally:
            _shut(sink)
            with self._lock:
                self._sockets.discard(source)
            source.close()

    def _note_request(self, match):
        with self._lock:
            if match[3]:
                self._presented = match[3].decode()
            else:
                self._signed_with.append((match[1] or match[2]).decode())

    def _note_answer(self, match):
        with self._lock:
            if match[1]:
                self._issued.append((match[1].decode(), self._presented))
                self._last_issued_at = time.monotonic()
            else:
                self._secrets.add((match[2] or match[3]).decode())


def _shut(each):
    # Wakes whoever waits in accept or recv; close alone does not.
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
