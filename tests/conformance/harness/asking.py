"""A row at the STS emulator, which verifies signatures: who am I.

| column | what must be true |
|---|---|
| a start | it knows who it is |
| b rotation, refresh | the token rotates and is exchanged; polled, the client comes to sign with what that exchange gave |
| c STS down | an exchange has failed: a client that has asked for nothing yet works, and the running one asks the sidecar again and works; STS is back: the running one comes to sign with new credentials |
| d restart | SIGTERM and a new start: the running client works before and after, and comes to sign with new credentials |
| e authorization | with the token it works; without it the SDK raises, and nothing is signed |

Sessions are short, so that the running client refreshes by itself: the clients' files say how short, and "long" for
those that would prolong a short answer by themselves. Those are asked the same with SIGHUP, and where the running client
has no reason to ask again, one that was started after it shows the new credentials.
"""

import secrets
import time

from harness.application import Raised
from harness.children import Command, Failed
from harness.relay import Relay
from harness.servers import Moto
from harness.story import BETWEEN_POLLS, Story, must

LONGEST_SESSION_SECONDS = 240


class Asking(Story):
    def set_up(self):
        emulator = self.stage.emulator
        emulator.session_seconds(self.seconds)
        # The client's own way to STS; the sidecar's is another, and is closed alone.
        self._asks_who = "who" not in self.spec["lacks"]
        if self._asks_who:
            upstream = emulator.port
        else:
            upstream = Moto(self.children, Command(**self.spec["moto"]), self.stage.directory).port
        self._witness = Relay(upstream)
        self.sidecar = self.stage.sidecar(
            "sidecar", emulator.port, emulator.role_arn, listen=self.stage.endpoint.listen
        )
        self.running = self.stage.application("client")

    def columns(self):
        authorization = {"e": self._authorization} if self.spec["authorization"] else {}
        return {"a": self._start, **authorization, "b": self._refresh, "c": self._outage, "d": self.restart}

    def works(self, application, why):
        """With what the sidecar's STS gave out, verified."""
        verified, seen = self.stage.emulator.verified(), len(self._witness.signed_with())
        if self._asks_who:
            arn = application.call("who", endpoint=self._witness.url)
            must(self.stage.emulator.knows(arn), f"{why}: it is {arn}, no session of {self.stage.emulator.role_arn}")
            must(self.stage.emulator.verified() > verified, f"{why}: STS did not see a good signature")
        else:
            application.call("list", endpoint=self._witness.url)
        return self.used(self._witness, self.sidecar.sts, seen)

    def _start(self):
        self.works(self.running, "start")

    def _refresh(self):
        token, issued_for = self.sidecar.reads(self.stage.emulator.rotate_token), self.sidecar.sts.issued_for
        if self.long:
            self.sidecar.await_new(len(self.sidecar.sts.issued()), nudge=True)
            self.works(self.running, "after-refresh")
            self.started_now_must_use(lambda: issued_for(token), "after-refresh")
        else:
            self.must_come_to_use(self.running, lambda: issued_for(token), "refresh")

    # ---- STS down, and back ----

    def _outage(self):
        # Started before: what it takes to start is no part of the outage, and it has asked for nothing yet.
        seconds, fresh = self.seconds, self.stage.application("client-sts-down")
        while True:
            self._let_the_client_fall_behind()
            self.sidecar.sts.close()
            self.sidecar.await_failure(nudge=self.long, patience=seconds)
            deadline = self._end_of_service(seconds)
            try:
                self.must_use(fresh, lambda: self.sidecar.sts.issued()[-1:], "asks-first-while-sts-is-down")
                self._asks_again(deadline)
                break
            except (Failed, OSError):
                # Only what came before the credentials' end says something about the client.
                if self.long or time.monotonic() < deadline or seconds >= LONGEST_SESSION_SECONDS:
                    raise
            # The machine is too slow for sessions this short.
            seconds *= 2
            self._back(seconds)
            fresh.end()
            fresh = self.stage.application(f"client-sts-down-{seconds}")
        before = len(self.sidecar.sts.issued())
        self._back(seconds)

        def new():
            return self.sidecar.sts.issued()[before:]

        if self.long:
            self.works(self.running, "sts-is-back")
            self.started_now_must_use(new, "when-sts-is-back")
        else:
            self.must_come_to_use(self.running, new, "sts-is-back")

    def _let_the_client_fall_behind(self):
        """What a client caches must end before what the sidecar holds, or it would not ask during the outage."""
        metric = self.stage.endpoint.metric
        before = self.sidecar.requests(metric)
        self.works(self.running, "before-sts-is-down")
        if not self.long and self.sidecar.requests(metric) == before:
            self.sidecar.await_new(len(self.sidecar.sts.issued()))

    def _end_of_service(self, seconds):
        # STS cuts off parts of a second, and the last fifteenth of a short session is not served.
        return self.sidecar.sts.last_issued_at() + seconds * 14 / 15 - 1

    def _asks_again(self, deadline):
        """The running client works all the time, also after it has asked the sidecar during the outage."""
        metric = self.stage.endpoint.metric
        before = self.sidecar.requests(metric)
        self.works(self.running, "while-sts-is-down")
        while not self.long and self.sidecar.requests(metric) == before:
            if time.monotonic() > deadline:
                raise Failed("while STS was down it did not ask the sidecar again, so its refresh was not seen")
            self.children.pause(BETWEEN_POLLS)
            self.works(self.running, "while-sts-is-down")

    def _back(self, seconds):
        """Opens STS's port again; a rotated token is tried at once while something is wrong."""
        before = len(self.sidecar.sts.issued())
        self.stage.emulator.session_seconds(seconds)
        self.sidecar.sts.open()
        self.stage.emulator.rotate_token()
        self.sidecar.await_new(before)

    # ---- Authorization ----

    def _authorization(self):
        token, emulator = secrets.token_urlsafe(32), self.stage.emulator
        self.stage.hidden.add(token)
        guarded = self.stage.sidecar(
            "sidecar-authorization",
            emulator.port,
            emulator.role_arn,
            settings={"IRSA_SIDECAR_AUTHORIZATION_TOKEN": token},
            alone=False,
        )
        told = {**self.stage.endpoint.told, "AWS_CONTAINER_CREDENTIALS_FULL_URI": guarded.full_uri}
        authorized = {**told, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}
        with_token = self.stage.application("client-with-token", authorized)
        arn = with_token.call("who", endpoint=self._witness.url)
        must(self._witness.signed_with()[-1] in guarded.sts.issued(), f"with the token it is {arn}, by other credentials")

        without, before = self.stage.application("client-without-token", told), len(self._witness.signed_with())
        try:
            without.call("who", endpoint=self._witness.url)
        except Raised as refusal:
            self.outcome.errors["without the authorization token"] = str(refusal)
        else:
            raise Failed("without the authorization token it got credentials all the same")
        must(len(self._witness.signed_with()) == before, "without the authorization token it signed a request")
