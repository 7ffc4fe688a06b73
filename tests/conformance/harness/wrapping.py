"""A real old SDK as the command of `irsa-sidecar exec`, with no sidecar, beside keys that are somebody else's.

| column | what must be true |
|---|---|
| a start | web identity's variables, other keys in its environment and in ~/.aws/credentials: it signs with what STS gave for the token |
| b rotation, refresh | the token rotates; polled, and not failing once, it comes to sign with what the rotated token gave |
| c STS down | an exchange has failed: it works; STS is back: it comes to sign with new credentials |
| d end | at the end of its input exec's status is its own, and on SIGTERM 143 |
"""

import signal

from harness.application import Application
from harness.children import Command
from harness.endpoints import REGION
from harness.relay import Relay
from harness.story import Story, must

COLUMNS = "abcd"
OTHER = {"AWS_ACCESS_KEY_ID": "AKIASOMEBODYELSES000", "AWS_SECRET_ACCESS_KEY": "somebody-elses"}


class Wrapping(Story):
    def set_up(self):
        emulator = self.stage.emulator
        emulator.session_seconds(self.seconds)
        self._sts, self._witness = Relay(emulator.port), Relay(emulator.port)
        shared = self.stage.directory / "home" / ".aws" / "credentials"
        shared.parent.mkdir(parents=True)
        shared.write_text("\n".join(["[default]", *(f"{name.lower()} = {value}" for name, value in OTHER.items()), ""]))
        self.running = self._client("client")

    def columns(self):
        return {"a": self._start, "b": self._refresh, "c": self._outage, "d": self._end}

    def works(self, application, why):
        """With what STS gave out for the token, and with nothing else."""
        seen = len(self._witness.signed_with())
        arn = application.call("who", endpoint=self._witness.url)
        must(self.stage.emulator.knows(arn), f"{why}: it is {arn}")
        return self.used(self._witness, self._sts, seen)

    def _start(self):
        self.works(self.running, "start")

    def _refresh(self):
        token = self.stage.emulator.rotate_token()
        self.must_come_to_use(self.running, lambda: self._sts.issued_for(token), "refresh")

    def _outage(self):
        self._sts.close()
        try:
            self.children.wait_until("an exchange to fail", lambda: "exchange failed" in self.running.errors())
            self.works(self.running, "while-sts-is-down")
        finally:
            before = len(self._sts.issued())
            self._sts.open()
        self.must_come_to_use(self.running, lambda: self._sts.issued()[before:], "sts-is-back")

    def _end(self):
        status = self.running.leave()
        must(status == 0, f"at the end of its input it ended with {status}")
        told = self._client("client-terminated")
        status = told.leave(signal.SIGTERM)
        must(status == 128 + signal.SIGTERM, f"on SIGTERM it ended with {status}")

    def _secrets(self):
        self.stage.hidden |= self._sts.secrets()
        super()._secrets()

    def _client(self, name):
        client, emulator = self.stage.command, self.stage.emulator
        # Some are too old to send one.
        flags = [] if self.spec["authorization"] else ["--no-authorization-token"]
        command = Command([str(self.stage.binary), "exec", "--log", "trace", *flags, "--", *client.argv], client.environment)
        told = {
            **OTHER,
            **self.spec["exec"],
            "AWS_ROLE_ARN": emulator.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(emulator.token_file),
            "AWS_ENDPOINT_URL_STS": self._sts.url,
            "AWS_REGION": REGION,
        }
        return Application(self.children, command, self.stage.directory, name, told)
