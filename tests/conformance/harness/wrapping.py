"""A real old SDK as the command of `irsa-sidecar exec`, with no sidecar, beside keys that are somebody else's.

| column | what must be true |
|---|---|
| start | web identity's variables, other keys in its environment and in ~/.aws/credentials: it signs with what STS gave for the token |
| rotation, refresh | the token rotates; polled, and not failing once, it comes to sign with what the rotated token gave |
| STS down | an exchange has failed: it works; STS is back: it comes to sign with new credentials |
| end | at the end of its input exec's status is its own, and on SIGTERM 143 |
"""

import signal
import time
import traceback
from dataclasses import asdict, dataclass, field

from harness.application import Application
from harness.children import PATIENCE, Command, Failed, Stopped
from harness.endpoints import REGION
from harness.relay import Relay
from harness.stage import Stage
from harness.story import BETWEEN_POLLS, must

COLUMNS = ["start", "refresh", "down", "end"]
OTHER = {"AWS_ACCESS_KEY_ID": "AKIASOMEBODYELSES000", "AWS_SECRET_ACCESS_KEY": "somebody-elses"}


@dataclass
class Outcome:
    passed: dict = field(default_factory=dict)
    complaints: list = field(default_factory=list)

    def as_dict(self):
        return asdict(self)


class Wrapping:
    def __init__(self, children, spec):
        self._children, self._spec = children, spec
        self._outcome = Outcome()
        self._running = None

    def run(self):
        if self._column("set_up"):
            for name in [*COLUMNS, "secrets"]:
                self._outcome.passed[name] = self._column(name)
        return self._outcome

    def _column(self, name):
        try:
            getattr(self, f"_{name}")()
        except Stopped:
            raise
        except (Failed, OSError) as failure:
            self._complain(name, str(failure))
        except Exception:
            self._complain(name, traceback.format_exc())
        else:
            return True
        return False

    def _complain(self, name, why):
        said = self._running.errors().splitlines()[-25:] if self._running else []
        self._outcome.complaints.append("\n".join([f"{self._spec['row']}, exec, {name}: {why.strip()}", *said]))

    def _set_up(self):
        self._stage = Stage.set(self._children, self._spec)
        emulator = self._stage.emulator
        emulator.session_seconds(self._spec["session"])
        self._sts, self._witness = Relay(emulator.port), Relay(emulator.port)
        shared = self._stage.directory / "home" / ".aws" / "credentials"
        shared.parent.mkdir(parents=True)
        shared.write_text("\n".join(["[default]", *(f"{name.lower()} = {value}" for name, value in OTHER.items()), ""]))
        self._running = self._client("client")
        for package, version in self._spec["versions"].items():
            found = self._running.versions.get(package)
            must(found == version, f"this is {package} {found}, not {version}")

    # ---- The columns ----

    def _start(self):
        self._works(self._running, "start")

    def _refresh(self):
        token = self._stage.emulator.rotate_token()
        self._comes_to_use(lambda: self._sts.issued_for(token), "refresh")

    def _down(self):
        self._sts.close()
        try:
            self._children.wait_until("an exchange to fail", lambda: "exchange failed" in self._running.errors())
            self._works(self._running, "STS is down")
        finally:
            before = len(self._sts.issued())
            self._sts.open()
        self._comes_to_use(lambda: self._sts.issued()[before:], "STS is back")

    def _end(self):
        status = self._running.leave()
        must(status == 0, f"at the end of its input it ended with {status}: {self._running.errors()}")
        told = self._client("client-terminated")
        status = told.leave(signal.SIGTERM)
        must(status == 128 + signal.SIGTERM, f"on SIGTERM it ended with {status}: {told.errors()}")

    def _secrets(self):
        self._stage.hidden |= self._sts.secrets()
        self._stage.search_for_secrets()

    # ---- What all have in common ----

    def _client(self, name):
        client, emulator = self._stage.command, self._stage.emulator
        # Some are too old to send one.
        flags = [] if self._spec["authorization"] else ["--no-authorization-token"]
        command = Command([str(self._stage.binary), "exec", "--log", "trace", *flags, "--", *client.argv], client.environment)
        told = {
            **OTHER,
            **self._spec["exec"],
            "AWS_ROLE_ARN": emulator.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(emulator.token_file),
            "AWS_ENDPOINT_URL_STS": self._sts.url,
            "AWS_REGION": REGION,
        }
        return Application(self._children, command, self._stage.directory, name, told)

    def _works(self, client, why):
        """The key that it signed with, which is one that STS gave out for the token."""
        arn = client.call("who", endpoint=self._witness.url)
        must(self._stage.emulator.knows(arn), f"{why}: it is {arn}")
        key = self._witness.signed_with()[-1]
        must(key in self._sts.issued(), f"{why}: it signed with {key}")
        return key

    def _comes_to_use(self, wanted, why):
        deadline = time.monotonic() + PATIENCE + self._spec["session"]
        while self._works(self._running, why) not in wanted():
            if time.monotonic() > deadline:
                raise Failed(f"{why}: it went on with old credentials")
            self._children.pause(BETWEEN_POLLS)
