"""What both plays of a row have in common: columns, one after the other, and what went wrong in them.

A play is the start, the refresh, the outage, the restart and (at the emulator) the authorization; the columns of the
table, `a` to `e`. A client that does not get through the start is not asked for the rest.
"""

import secrets
import signal
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.application import Raised
from harness.children import PATIENCE, Failed, Stopped
from harness.stage import Stage

BETWEEN_POLLS = 0.5


@dataclass
class Outcome:
    passed: dict = field(default_factory=dict)
    """By column; one that was not played is not in it."""
    complaints: list = field(default_factory=list)
    errors: dict = field(default_factory=dict)
    """What the client said where it could not have credentials."""
    asked_by: list = field(default_factory=list)
    user_agents: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self):
        return asdict(self)


class Story:
    def __init__(self, children, spec):
        self.children, self.spec = children, spec
        self.outcome = Outcome()
        self.stage = None
        self.running = self.sidecar = None

    @property
    def long(self):
        """Whether the running client has no reason to ask the sidecar again."""
        return self.spec["session"] == "long"

    @property
    def seconds(self):
        """How long sessions last; 0 stands for what is asked for."""
        return 0 if self.long else self.spec["session"]

    # ---- What a play says of itself ----

    def set_up(self):
        """The servers, the sidecar, and the client that runs all along."""
        raise NotImplementedError

    def columns(self):
        """By name, in the order in which they are played; `a` first."""
        raise NotImplementedError

    def works(self, application, key):
        """A call that must succeed; gives the access key IDs that were used."""
        raise NotImplementedError

    # ---- The play ----

    def run(self):
        begun = time.monotonic()
        try:
            if self._column("set-up", self._begin):
                columns = self.columns()
                if self._column("a", columns.pop("a")):
                    for name, column in columns.items():
                        self._column(name, column)
                else:
                    self.outcome.passed |= dict.fromkeys(columns, False)
                self._column("secrets", self._secrets)
        finally:
            self.outcome.seconds = time.monotonic() - begun
        return self.outcome

    def _begin(self):
        self.stage = Stage.set(self.children, self.spec)
        self.set_up()
        self.outcome.versions = self.running.versions
        for package, version in self.spec["versions"].items():
            found = self.running.versions.get(package)
            must(found == version, f"this is {package} {found}, not {version}")

    def _secrets(self):
        try:
            self.stage.search_for_secrets()
        finally:
            self.outcome.asked_by = self.stage.asked_by()
            self.outcome.user_agents = self.stage.wire.user_agents()

    def _column(self, name, play):
        is_column = len(name) == 1
        try:
            play()
        except Stopped:
            raise
        except (Failed, OSError) as failure:
            self._complain(name, str(failure))
        except Exception:
            self._complain(name, traceback.format_exc())
        else:
            if is_column:
                self.outcome.passed[name] = True
            return True
        if is_column:
            self.outcome.passed[name] = False
        return False

    def _complain(self, column, why):
        parts = [f"{self.spec['row']} at {self.spec['play']}, {column}: {why.strip()}"]
        for path in sorted(Path(self.spec["directory"]).glob("*.stderr")):
            text = path.read_text(errors="replace").strip()
            if text:
                parts.append(f"--- {path.name}, its end\n" + "\n".join(text.splitlines()[-25:]))
        self.outcome.complaints.append("\n".join(parts))

    # ---- Words of the columns ----

    def must_use(self, application, wanted, why):
        """One call, with nothing but what is in `wanted()` after it; then that client has done its work."""
        used = self.works(application, why)
        must(set(used) <= set(wanted()), f"{why}: it used {', '.join(used)}, not {', '.join(wanted())}")
        application.end()

    def started_now_must_use(self, wanted, why):
        self.must_use(self.stage.application(f"client-{why}"), wanted, f"started-{why}")

    def must_come_to_use(self, application, wanted, why):
        """Polls until `wanted()` is used; not one call may fail until then."""
        deadline = time.monotonic() + PATIENCE + self.seconds
        while self.works(application, why)[-1] not in wanted():
            if time.monotonic() > deadline:
                raise Failed(f"{why}: for {PATIENCE + self.seconds:.0f} s it went on with old credentials")
            self.children.pause(BETWEEN_POLLS)

    def restart(self, how=signal.SIGTERM):
        """The sidecar goes and comes back while the client runs. Only while it is away the client may raise."""
        # An outage that went wrong is not this column's.
        self.sidecar.sts.open()
        self.works(self.running, "before-restart")
        before = len(self.sidecar.sts.issued())
        self.sidecar.end(how)
        try:
            self.works(self.running, "while-away")
        except Raised as error:
            self.outcome.errors["while the sidecar was away"] = str(error)
        self.sidecar.start()
        self.sidecar.await_ready()
        self.sidecar.await_new(before)

        def new():
            return self.sidecar.sts.issued()[before:]

        if self.long:
            self.works(self.running, "after-restart")
        else:
            self.must_come_to_use(self.running, new, "after-restart")
        self.started_now_must_use(new, "after-restart")

    def used(self, witness, sts, seen, requests=1):
        """The keys of the signed requests since; each must be one that this STS gave out."""
        keys = witness.signed_with()[seen:]
        must(len(keys) >= requests, f"{len(keys)} signed requests were seen, not {requests}")
        strange = set(keys) - set(sts.issued())
        must(not strange, f"requests were signed with {', '.join(strange)}, which its STS did not give out")
        return keys


def stores(application, url, bucket, key):
    """Puts something and gets it back."""
    where = {"endpoint": url, "bucket": bucket, "key": key}
    body = secrets.token_hex(64)
    application.call("put", body=body, **where)
    must(application.call("get", **where) == body, "what it got back is not what it put")


def must(condition, complaint):
    if not condition:
        raise Failed(complaint)
