"""The real binary, with an environment as EKS gives it to a pod, exchanging at an STS through a relay of its own."""

import json
import re
import signal
import urllib.error

from harness import http
from harness.children import PATIENCE, Failed, must_run
from harness.endpoints import PORT, REGION
from harness.http import request
from harness.ports import free_port
from harness.relay import Relay

ADMIN_PORT = 9912
FAILURES = re.compile(r'^irsa_sidecar_exchange_total\{[^}]*result="failure"[^}]*\} ([0-9.]+)$', re.MULTILINE)
REQUESTS = re.compile(
    r'^irsa_sidecar_requests_total\{endpoint="(\w+)",status="[^"]*",sdk="([^"]*)"\} ([0-9.]+)$', re.MULTILINE
)

CHANGES = re.compile(r"^irsa_sidecar_token_changes_total ([0-9.]+)$", re.MULTILINE)


class NotServed(OSError):
    """The sidecar answers, and not with credentials; while waiting for them, one more "not yet"."""


class Sidecar:
    def __init__(self, stage, name, sts_port, role_arn, listen="", settings=None, alone=True):
        """One that is not `alone` in its namespace has ports of its own, not the default ones."""
        self._children, self._binary, self._directory, self._name = stage.children, stage.binary, stage.directory, name
        self.sts = Relay(sts_port)
        self._port, self._admin_port = (PORT, ADMIN_PORT) if alone else (free_port(), free_port())
        ports = {"IRSA_SIDECAR_PORT": str(self._port), "IRSA_SIDECAR_ADMIN_LISTEN": f"127.0.0.1:{self._admin_port}"}
        self._environment = {
            # What EKS puts into a pod.
            "AWS_ROLE_ARN": role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(stage.emulator.token_file),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            # Where this run's STS is.
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            # Everything that it could say is searched for secrets.
            "IRSA_SIDECAR_LOG": "trace",
            **({} if alone else ports),
            **(settings or {}),
        }
        self._listen = ["--listen", listen] if listen else []
        self._starts, self._counted = 0, {}
        self.start()

    def start(self):
        self._starts += 1
        name = f"{self._name}-{self._starts}"
        self.log = self._directory / f"{name}.stderr"
        argv = [str(self._binary), "serve", "--log-format", "json", *self._listen]
        self._child = self._children.start(argv, self._environment, self._directory, name)

    def end(self, how=signal.SIGTERM):
        """Its counts and what it says of itself are kept."""
        self.note()
        self._children.end(self._child, how)

    def await_ready(self):
        def ready():
            must_run(self._child, self.log)
            return self.admin("/ready")

        self._children.wait_until("the sidecar to hold credentials", ready)

    def note(self):
        """Keeps `/metrics` and `/status`, for the search for secrets and for `asked_by`."""
        for path in ("metrics", "status"):
            (self._directory / f"{self.log.stem}-{path}.txt").write_text(self.admin(f"/{path}"))
        self._counted[self._starts] = self._requests()

    def asked_by(self):
        """The `sdk` labels by endpoint under which clients were counted, until the last `note`."""
        found = {}
        for counts in self._counted.values():
            for endpoint, sdk in counts:
                found.setdefault(endpoint, set()).add(sdk)
        return {endpoint: sorted(labels) for endpoint, labels in found.items()}

    def requests(self, endpoint):
        """How often clients have asked since the last start."""
        return sum(count for (name, _), count in self._requests().items() if name == endpoint)

    def _requests(self):
        counts = {}
        for endpoint, sdk, count in REQUESTS.findall(self.admin("/metrics")):
            if endpoint != "admin" and sdk != http.SDK and float(count):
                counts[endpoint, sdk] = counts.get((endpoint, sdk), 0) + float(count)
        return counts

    def admin(self, path):
        """The body; a status of 400 or above raises."""
        return request(f"http://127.0.0.1:{self._admin_port}{path}").decode()

    def failures(self):
        """How many exchanges have failed since the last start."""
        return sum(float(count) for count in FAILURES.findall(self.admin("/metrics")))

    @property
    def full_uri(self):
        return f"http://127.0.0.1:{self._port}/v1/credentials"

    def serves(self):
        """The access key ID that a client would be given now."""
        try:
            return json.loads(request(self.full_uri))["AccessKeyId"]
        except urllib.error.HTTPError as answer:
            said = answer.read().decode(errors="replace")
            raise NotServed(f"the sidecar serves no credentials: {answer.code} {said}") from None

    def refusal(self):
        """How a request without authorization is refused: the status and the code."""
        try:
            request(self.full_uri)
        except urllib.error.HTTPError as answer:
            return str(answer.code), json.loads(answer.read())["code"]
        raise Failed("a request without the authorization token was answered")

    def exchange_now(self):
        self._child.send_signal(signal.SIGHUP)

    def reads(self, rotate):
        """Rotates the token and waits until the sidecar has read it, which is soon and not at once; gives the token."""
        before = self._changes()
        token = rotate()
        self._children.wait_until("the sidecar to read the rotated token", lambda: self._changes() > before)
        return token

    def _changes(self):
        return float(CHANGES.search(self.admin("/metrics"))[1])

    def await_new(self, than, nudge=False):
        """Waits until it serves something that STS gave out after the first `than`; gives all of that."""

        def issued():
            if nudge and len(self.sts.issued()) == than:
                self.exchange_now()
            return len(self.sts.issued()) > than

        self._children.wait_until("another exchange", issued)
        self._children.wait_until("the new credentials to be served", lambda: self.serves() in self.sts.issued()[than:])
        return self.sts.issued()[than:]

    def await_failure(self, nudge=False, patience=0):
        """Waits until one more exchange has failed; nudged, it tries as often as it may."""
        before = self.failures()

        def failed():
            if nudge:
                self.exchange_now()
            return self.failures() > before

        self._children.wait_until("an exchange to fail", failed, PATIENCE + patience)
