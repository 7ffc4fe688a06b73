"""The servers around a client: the STS emulator, moto, and sidecars with an environment as EKS gives it to a pod."""

import hashlib
import json
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from harness.children import Failed
from harness.ports import free_port
from harness.relay import Relay

REGION = "eu-central-1"
# Loopback must be reached directly, whatever proxy the machine has.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
FAILURES = re.compile(r'^irsa_sidecar_exchange_total\{[^}]*result="failure"[^}]*\} ([0-9.]+)$', re.MULTILINE)


def request(url, data=None, headers=None, timeout=10):
    with OPENER.open(urllib.request.Request(url, data=data, headers=headers or {}), timeout=timeout) as answer:
        return answer.read()


class NotServed(OSError):
    """The sidecar answers, and not with credentials; while waiting for them, one more "not yet"."""


class Emulator:
    """tests/support's STS: verifies tokens and signatures, and obeys levers."""

    def __init__(self, children, binary, directory):
        # Its ports are its own choice; its first line tells them.
        self._child = children.start([str(binary)], {"TMPDIR": str(directory)}, directory, "emulator")
        announced = Path(directory) / "emulator.stdout"
        line = children.wait_until("the STS emulator to be ready", lambda: _whole_line(announced, self._child))
        described = json.loads(line)
        self._control = described["control"]
        self.port = urlsplit(described["sts"]).port
        self.role_arn = described["env"]["AWS_ROLE_ARN"]
        self.token_file = Path(described["env"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
        self.tokens = {self.token_file.read_text()}

    def session_seconds(self, seconds):
        request(f"{self._control}/session?seconds={seconds}", b"")

    def rotate_token(self):
        """Puts a fresh token in place as the kubelet does, and gives the SHA-256 by which the call log knows it."""
        request(f"{self._control}/token/rotate", b"")
        token = self.token_file.read_text()
        self.tokens.add(token)
        return hashlib.sha256(token.encode()).hexdigest()

    def calls(self, action):
        return [call for call in json.loads(request(f"{self._control}/calls")) if call["action"] == action]

    def exchanged(self, token_sha256):
        """Whether that very token was exchanged."""
        calls = self.calls("AssumeRoleWithWebIdentity")
        return any(c["outcome"] == "ok" and (c["token"] or {}).get("sha256") == token_sha256 for c in calls)

    def verified(self):
        """How many signatures on GetCallerIdentity were found good."""
        return sum(call["outcome"] == "ok" and call["signed"] for call in self.calls("GetCallerIdentity"))


class Moto:
    """Somebody else's STS and S3, in one server; it verifies nothing."""

    def __init__(self, children, command, directory):
        self.port = free_port()
        argv = [*command.argv, "-H", "127.0.0.1", "-p", str(self.port)]
        environment = {**command.environment, "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION}
        child = children.start(argv, environment, directory, "moto")

        def answers():
            _must_run(child, Path(directory) / "moto.stderr")
            return request(f"http://127.0.0.1:{self.port}/moto-api/data.json")

        children.wait_until("moto's server to be ready", answers)


class Sidecar:
    """The real binary, exchanging at an STS through a relay of its own."""

    def __init__(self, children, binary, directory, name, emulator, sts_port, settings=None):
        self._children = children
        self.sts = Relay(sts_port)
        self.port, self._admin_port = free_port(), free_port()
        self.log = Path(directory) / f"{name}.stderr"
        environment = {
            # What EKS puts into a pod.
            "AWS_ROLE_ARN": emulator.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(emulator.token_file),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            # Where this run's STS is.
            "AWS_ENDPOINT_URL_STS": self.sts.url,
            "IRSA_SIDECAR_PORT": str(self.port),
            "IRSA_SIDECAR_ADMIN_LISTEN": f"127.0.0.1:{self._admin_port}",
            # Everything that it could say is searched for secrets.
            "IRSA_SIDECAR_LOG": "trace",
            **(settings or {}),
        }
        argv = [str(binary), "serve", "--log-format", "json"]
        self._authorization = environment.get("IRSA_SIDECAR_AUTHORIZATION_TOKEN")
        self._child = children.start(argv, environment, directory, name)

    def await_ready(self):
        def ready():
            _must_run(self._child, self.log)
            return self.admin("/ready")

        self._children.wait_until("the sidecar to hold credentials", ready)

    @property
    def full_uri(self):
        return f"http://127.0.0.1:{self.port}/v1/credentials"

    def admin(self, path):
        """The body; a status of 400 or above raises."""
        return request(f"http://127.0.0.1:{self._admin_port}{path}").decode()

    def failures(self):
        """How many exchanges have failed."""
        return sum(float(count) for count in FAILURES.findall(self.admin("/metrics")))

    def serves(self):
        """The access key ID that a client would be given now."""
        headers = {"Authorization": self._authorization} if self._authorization else {}
        try:
            return json.loads(request(self.full_uri, headers=headers))["AccessKeyId"]
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

    def await_new(self, than):
        """Waits until it serves something that STS gave out after the first `than`."""
        issued = self.sts.issued
        self._children.wait_until("another exchange", lambda: len(issued()) > than)
        self._children.wait_until("the new credentials to be served", lambda: self.serves() in issued()[than:])


def _whole_line(path, child):
    _must_run(child, path.with_suffix(".stderr"))
    first, newline, _ = path.read_text().partition("\n")
    return newline and first


def _must_run(child, log):
    if child.poll() is not None:
        raise Failed(f"it ended with status {child.returncode}:\n{log.read_text(errors='replace').strip()}")
