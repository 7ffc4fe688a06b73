"""A modern SDK in the same pod: whose credentials does it use, its own exchange's or the sidecar's?

The pod has web identity's variables, as EKS sets them, and the injected FULL_URI; then FULL_URI alone. Which it was, the
key tells that its request is signed with: the client's way to STS and the sidecar's are two relays.
"""

from dataclasses import asdict, dataclass, field

from harness.application import Raised
from harness.children import Failed
from harness.endpoints import PORT
from harness.relay import Relay
from harness.stage import Stage

FULL_URI = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{PORT}/v1/credentials"}
WITHOUT_METADATA = {"AWS_EC2_METADATA_DISABLED": "true"}


@dataclass
class Precedence:
    uses: dict = field(default_factory=dict)
    """By case: `itself`, `the sidecar`, or what it raised."""
    complaints: list = field(default_factory=list)

    def as_dict(self):
        return asdict(self)


class Coexisting:
    def __init__(self, children, spec):
        self._children, self._spec = children, spec

    def run(self):
        precedence = Precedence()
        try:
            self._set_up()
            emulator = self._stage.emulator
            web_identity = {
                "AWS_ROLE_ARN": emulator.role_arn,
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(emulator.token_file),
                "AWS_STS_REGIONAL_ENDPOINTS": "regional",
                "AWS_ENDPOINT_URL_STS": self._own.url,
            }
            precedence.uses["both"] = self._uses("both", {**web_identity, **FULL_URI})
            precedence.uses["full_uri"] = self._uses("full-uri", FULL_URI)
            self._stage.search_for_secrets()
        except (Failed, OSError) as failure:
            precedence.complaints.append(f"{self._spec['row']}, coexistence: {failure}")
        return precedence

    def _set_up(self):
        self._stage = Stage.set(self._children, self._spec)
        emulator = self._stage.emulator
        self._own, self._witness = Relay(emulator.port), Relay(emulator.port)
        self._sidecar = self._stage.sidecar("sidecar", emulator.port, emulator.role_arn)

    def _uses(self, name, told):
        asked, seen = self._sidecar.requests("container"), len(self._witness.signed_with())
        client = self._stage.application(f"client-{name}", {**told, **WITHOUT_METADATA})
        try:
            client.call("who", endpoint=self._witness.url)
        except Raised as error:
            return f"neither: {error}"
        key = self._witness.signed_with()[seen:][-1]
        self._stage.hidden |= self._own.secrets()
        asks = self._sidecar.requests("container") > asked
        if key in self._own.issued() and not asks:
            return "itself"
        if key in self._sidecar.sts.issued() and asks:
            return "the sidecar"
        raise Failed(f"{name}: it signed with {key}; the sidecar {'was' if asks else 'was not'} asked")
