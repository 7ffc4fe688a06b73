"""What every play has: its directory, its processes, the token issuer, the sidecars, and what must not be told."""

from dataclasses import dataclass, field
from pathlib import Path

from harness import http, leaks
from harness.application import Application
from harness.children import Children, Command, Failed
from harness.endpoints import ENDPOINTS, Endpoint
from harness.namespace import claim
from harness.servers import Emulator
from harness.sidecar import Sidecar
from harness.wire import Wire


@dataclass
class Stage:
    children: Children
    directory: Path
    binary: Path
    emulator: Emulator
    endpoint: Endpoint
    command: Command
    """The client's."""
    wire: Wire
    sidecars: list = field(default_factory=list)
    hidden: set = field(default_factory=set)

    @classmethod
    def set(cls, children, spec):
        """To be called inside the play's namespace."""
        directory, endpoint = Path(spec["directory"]), ENDPOINTS[spec["endpoint"]]
        claim(spec["binary"], endpoint.listen)
        wire = Wire(http.USER_AGENT)
        emulator = Emulator(children, spec["emulator"], directory)
        return cls(
            children, directory, Path(spec["binary"]), emulator, endpoint, Command(**spec["command"]), wire
        )

    def sidecar(self, name, sts_port, role_arn, ready=True, **how):
        sidecar = Sidecar(self, name, sts_port, role_arn, **how)
        self.sidecars.append(sidecar)
        if ready:
            sidecar.await_ready()
        return sidecar

    def application(self, name, told=None):
        return Application(
            self.children, self.command, self.directory, name, self.endpoint.told if told is None else told
        )

    def asked_by(self):
        """The `sdk` labels under which clients were counted at the row's endpoint."""
        found = set()
        for sidecar in self.sidecars:
            found |= set(sidecar.asked_by().get(self.endpoint.metric, []))
        return sorted(found)

    def search_for_secrets(self):
        """Nothing that was said anywhere holds what was given out."""
        gone = []
        self.hidden |= self.emulator.tokens | self.wire.metadata_tokens()
        for sidecar in self.sidecars:
            self.hidden |= sidecar.sts.secrets()
            try:
                sidecar.note()
            except OSError as error:
                gone.append(f"{sidecar.log.stem} no longer answers: {error}")
        found = leaks.search(self.hidden, self.directory)
        if found:
            raise Failed(f"secrets were found in {', '.join(found)}")
        if gone:
            raise Failed("; ".join(gone))
