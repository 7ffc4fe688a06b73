"""How long a client waits for its first credentials when it starts at the same moment as the sidecar.

In a pod the startup probe lets the application start only afterwards; this is what happens where it does not.
"""

import time
from dataclasses import asdict, dataclass, field

from harness.application import Raised
from harness.children import PATIENCE, Failed
from harness.relay import Relay
from harness.stage import Stage


@dataclass
class Times:
    held: float = 0.0
    """Seconds until STS had given the sidecar credentials."""
    up: float = 0.0
    """Until the client could be asked."""
    signed: float = 0.0
    """Until its first call had an answer."""
    raised: int = 0
    """How many calls failed before."""
    complaints: list = field(default_factory=list)

    def as_dict(self):
        return asdict(self)


class Racing:
    def __init__(self, children, spec):
        self._children, self._spec = children, spec

    def run(self):
        times = Times()
        try:
            self._race(times)
        except (Failed, OSError) as failure:
            times.complaints.append(f"{self._spec['row']}, race: {failure}")
        return times

    def _race(self, times):
        stage = Stage.set(self._children, self._spec)
        emulator, endpoint = stage.emulator, stage.endpoint
        witness = Relay(emulator.port)
        begun = time.monotonic()
        sidecar = stage.sidecar("sidecar", emulator.port, emulator.role_arn, ready=False, listen=endpoint.listen)
        client = stage.application("client")
        times.up = time.monotonic() - begun
        while True:
            try:
                client.call("who", endpoint=witness.url)
                break
            except Raised:
                times.raised += 1
                if time.monotonic() - begun > PATIENCE:
                    raise
        times.signed = time.monotonic() - begun
        times.held = sidecar.sts.last_issued_at() - begun
        stage.search_for_secrets()
