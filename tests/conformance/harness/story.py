"""One row: what a client goes through, and what must be true of it.

| column | at the STS emulator, which verifies | at moto, which is somebody else's |
|---|---|---|
| a start | who am I | list, create a bucket, put, get, who am I |
| b rotation and refresh | the token rotates, the sidecar refreshes when it is due: new credentials are used | the same on SIGHUP |
| c STS down | past the refresh point, an exchange has failed: the client, and one started then, use what the sidecar holds; then STS is back, and new credentials are used | the same with S3, after a SIGHUP whose exchange fails |
| d authorization | with the token who am I; without it a clear error and no call | |

Which credentials a client used is read off the wire: the access key ID that its requests are signed with.
"""

import secrets
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from harness import leaks
from harness.application import Application, Raised
from harness.children import PATIENCE, Failed, Stopped
from harness.relay import Relay
from harness.world import Emulator, Sidecar

COLUMNS = ("a", "b", "c", "d")
SESSION_SECONDS = 30
"""A refresh is due after 12 to 15 s of it. A machine too slow for what must fit into the rest is given longer ones."""
LONGEST_SESSION_SECONDS = 240


@dataclass
class Outcome:
    passed: dict = field(default_factory=lambda: dict.fromkeys(COLUMNS, False))
    complaints: list = field(default_factory=list)
    refusal: str = ""
    seconds: float = 0.0


class Story:
    def __init__(self, children, client, command, binaries, moto_port):
        self._children, self._client, self._command = children, client, command
        self._binary, self._emulator_binary = binaries
        self._moto_port = moto_port
        self._bucket = "conformance-" + client.id.replace(".", "-")
        self._outcome = Outcome()
        self._sidecars, self._hidden = [], set()

    def run(self, directory):
        """Plays the columns in turn; a client that does not get through the start is not asked for the rest."""
        begun = time.monotonic()
        self._directory = Path(directory)
        try:
            if self._column("set-up", self._set_up):
                if self._column("a", self._start):
                    for name, column in (("d", self._authorization), ("b", self._refresh), ("c", self._outage)):
                        self._column(name, column)
                self._column("secrets", self._leaks)
        finally:
            self._outcome.seconds = time.monotonic() - begun
        return self._outcome

    def _column(self, name, play):
        try:
            play()
        except Stopped:
            raise
        except (Failed, OSError) as failure:
            self._complain(name, str(failure))
            return False
        except Exception:
            self._complain(name, traceback.format_exc())
            return False
        if name in self._outcome.passed:
            self._outcome.passed[name] = True
        return True

    def _complain(self, column, why):
        parts = [f"{self._client.id}, {column}: {why.strip()}"]
        for path in sorted(self._directory.glob("*.stderr")):
            text = path.read_text(errors="replace").strip()
            if text:
                parts.append(f"--- {path.name}, its end\n" + "\n".join(text.splitlines()[-40:]))
        self._outcome.complaints.append("\n".join(parts))

    # ---- Set-up ----

    def _set_up(self):
        self._emulator = Emulator(self._children, self._emulator_binary, self._directory)
        self._emulator.session_seconds(SESSION_SECONDS)
        # The client's own way to the services; a sidecar's way to STS is another, and is closed alone.
        self._witness, self._moto = Relay(self._emulator.port), Relay(self._moto_port)
        self._at_emulator = self._sidecar("sidecar-emulator", self._emulator.port)
        self._at_moto = self._sidecar(
            "sidecar-moto", self._moto_port, {"IRSA_SIDECAR_SESSION_DURATION": "15m"}
        )
        self._asker = self._application("client-emulator", self._at_emulator)
        self._storer = self._application("client-moto", self._at_moto)
        for package, version in self._client.versions.items():
            found = self._asker.versions.get(package)
            _must(found == version, f"this is {package} {found}, not {version}")

    def _sidecar(self, name, sts_port, settings=None):
        sidecar = Sidecar(self._children, self._binary, self._directory, name, self._emulator, sts_port, settings)
        self._sidecars.append(sidecar)
        sidecar.await_ready()
        return sidecar

    def _application(self, name, sidecar, authorization=None):
        return Application(self._children, self._command, self._directory, name, sidecar.full_uri, authorization)

    # ---- Columns ----

    def _start(self):
        self._asks(self._asker, self._at_emulator)
        _must(self._bucket not in self._storer.call("list", endpoint=self._moto.url), "the bucket is there already")
        self._storer.call("create_bucket", endpoint=self._moto.url, bucket=self._bucket)
        _must(self._bucket in self._storer.call("list", endpoint=self._moto.url), "the bucket is not in the list")
        self._stores(self._storer, "at-start")
        self._knows(self._storer.call("who", endpoint=self._moto.url))

    def _authorization(self):
        token = secrets.token_urlsafe(32)
        self._hidden.add(token)
        guarded = self._sidecar(
            "sidecar-authorization", self._emulator.port, {"IRSA_SIDECAR_AUTHORIZATION_TOKEN": token}
        )
        self._asks(self._application("client-with-token", guarded, token), guarded)
        without = self._application("client-without-token", guarded)
        before = len(self._witness.signed_with())
        try:
            without.call("who", endpoint=self._witness.url)
        except Raised as refusal:
            self._outcome.refusal = str(refusal)
        else:
            raise Failed("without the authorization token it got credentials all the same")
        clear = any(sign in self._outcome.refusal for sign in guarded.refusal())
        _must(clear, f"its error names neither the status nor the code: {self._outcome.refusal}")
        _must(len(self._witness.signed_with()) == before, "without the authorization token it signed a request")

    def _refresh(self):
        before = self._at_emulator.sts.issued()
        token = self._emulator.rotate_token()
        self._children.wait_until("the rotated token to be exchanged", lambda: self._emulator.exchanged(token))
        self._at_emulator.await_new(len(before))
        _must(self._asks(self._asker, self._at_emulator) not in before, "it went on with old credentials")

        before = self._at_moto.sts.issued()
        self._at_moto.exchange_now()
        self._at_moto.await_new(len(before))
        _must(self._stores(self._storer, "after-refresh") not in before, "it went on with old credentials")

    def _outage(self):
        seconds = SESSION_SECONDS
        while True:
            deadline = self._cut_off_past_refresh(seconds)
            try:
                self._asks(self._asker, self._at_emulator)
                self._asks(self._application(f"client-fresh-{seconds}", self._at_emulator), self._at_emulator)
                break
            except (Failed, OSError):
                # Only what came before the credentials' end says something about the client.
                if time.monotonic() < deadline or seconds >= LONGEST_SESSION_SECONDS:
                    raise
            seconds *= 2
            self._back(seconds)
        before = self._at_emulator.sts.issued()
        self._back(seconds)
        _must(self._asks(self._asker, self._at_emulator) not in before, "it went on with old credentials")

        self._at_moto.sts.close()
        self._await_failure(self._at_moto, nudge=True)
        self._stores(self._storer, "sts-down")
        self._stores(self._application("client-fresh-moto", self._at_moto), "sts-down-fresh")

    def _leaks(self):
        """Nothing that was said anywhere holds what was given out."""
        gone = []
        for number, sidecar in enumerate(self._sidecars):
            self._hidden |= sidecar.sts.secrets()
            try:
                for path in ("metrics", "status"):
                    (self._directory / f"admin-{number}-{path}.txt").write_text(sidecar.admin(f"/{path}"))
            except OSError as error:
                gone.append(f"{sidecar.log.stem} no longer answers: {error}")
        self._hidden |= self._emulator.tokens
        _must(self._hidden, "no secret was seen, so none was looked for")
        found = leaks.search(self._hidden, self._directory)
        _must(not found, f"secrets were found in {', '.join(found)}")
        _must(not gone, "; ".join(gone))

    # ---- What a client must be seen to do ----

    def _asks(self, application, sidecar):
        """Who am I, with what the sidecar serves, verified; gives the access key ID."""
        verified, seen, served = self._emulator.verified(), len(self._witness.signed_with()), sidecar.serves()
        self._knows(application.call("who", endpoint=self._witness.url))
        _must(self._emulator.verified() > verified, "STS did not see a good signature")
        return _used(self._witness.signed_with()[seen:], sidecar, served)

    def _stores(self, application, key):
        """Puts and gets back, with what the sidecar serves; gives the access key ID."""
        seen, served = len(self._moto.signed_with()), self._at_moto.serves()
        where = {"endpoint": self._moto.url, "bucket": self._bucket, "key": key}
        body = secrets.token_hex(64)
        application.call("put", body=body, **where)
        _must(application.call("get", **where) == body, "what it got back is not what it put")
        return _used(self._moto.signed_with()[seen:], self._at_moto, served, requests=2)

    def _knows(self, arn):
        wanted = self._emulator.role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/"
        _must(arn.startswith(wanted), f"it is {arn}, not {wanted}…")

    # ---- STS down, and back ----

    def _cut_off_past_refresh(self, seconds):
        """Closes STS's port for the sidecar and waits for a refresh to fail; gives the end of what it holds."""
        self._at_emulator.sts.close()
        # STS cuts off parts of a second, and the last fifteenth of a short session is not served.
        deadline = self._at_emulator.sts.last_issued_at() + seconds * 14 / 15 - 1
        self._await_failure(self._at_emulator, patience=PATIENCE + seconds)
        return deadline

    def _await_failure(self, sidecar, nudge=False, patience=PATIENCE):
        before = sidecar.failures()

        def failed():
            if nudge:
                sidecar.exchange_now()
            return sidecar.failures() > before

        self._children.wait_until("an exchange to fail", failed, patience)

    def _back(self, seconds):
        """Opens STS's port again; a rotated token is tried at once while something is wrong."""
        before = len(self._at_emulator.sts.issued())
        self._emulator.session_seconds(seconds)
        self._at_emulator.sts.open()
        self._emulator.rotate_token()
        self._at_emulator.await_new(before)


def _used(keys, sidecar, served, requests=1):
    """The last key of these requests; each must be the one that the sidecar served before them, or a newer one."""
    issued = sidecar.sts.issued()
    _must(len(keys) >= requests, f"{len(keys)} signed requests were seen, not {requests}")
    _must(
        set(keys) <= set(issued[issued.index(served) :]),
        f"requests were signed with {', '.join(keys)}; the sidecar served {served}; STS gave out {', '.join(issued)}",
    )
    return keys[-1]


def _must(condition, complaint):
    if not condition:
        raise Failed(complaint)
