"""A row at MinIO, which checks the token itself and enforces what it gave out: list, create a bucket, put, get it back.

| column | what must be true |
|---|---|
| a start | the bucket is not there, is created, is in the list, keeps what is put into it |
| b rotation, refresh | the token rotates, and on SIGHUP is exchanged: the running client goes on, one started then uses what that exchange gave |
| c STS down | an exchange has failed: the running client and one started then work; STS is back: the running one goes on |
| d restart | `kill -9` and a new start: the running client works before and after, one started then uses the new credentials |

Sessions last an hour, as they do in a pod.
"""

import signal

from harness.children import Command
from harness.relay import Relay
from harness.servers import Minio
from harness.story import Story, must, stores

BUCKET = "conformance"


class Storing(Story):
    long = True

    def set_up(self):
        emulator = self.stage.emulator
        command = Command(**self.spec["minio"])
        minio = Minio(self.children, command, self.stage.directory, self.spec["scratch"], emulator)
        self._witness = Relay(minio.port)
        self.sidecar = self.stage.sidecar("sidecar", minio.port, minio.role_arn, listen=self.stage.endpoint.listen)
        self.running = self.stage.application("client")

    def columns(self):
        return {"a": self._start, "b": self._refresh, "c": self._outage, "d": self._restart}

    def works(self, application, why):
        seen = len(self._witness.signed_with())
        stores(application, self._witness.url, BUCKET, why)
        return self.used(self._witness, self.sidecar.sts, seen, requests=2)

    def _start(self):
        where = {"endpoint": self._witness.url}
        must(BUCKET not in self.running.call("list", **where), "the bucket is there already")
        self.running.call("create_bucket", bucket=BUCKET, **where)
        must(BUCKET in self.running.call("list", **where), "the bucket is not in the list")
        self.works(self.running, "start")

    def _refresh(self):
        token = self.sidecar.reads(self.stage.emulator.rotate_token)
        before = len(self.sidecar.sts.issued())
        self.sidecar.await_new(before, nudge=True)
        self.works(self.running, "after-refresh")
        self.started_now_must_use(lambda: self.sidecar.sts.issued_for(token), "after-refresh")

    def _outage(self):
        before = len(self.sidecar.sts.issued())
        self.sidecar.sts.close()
        self.sidecar.await_failure(nudge=True)
        self.works(self.running, "while-sts-is-down")
        held = self.sidecar.sts.issued()[before - 1 :]
        self.started_now_must_use(lambda: held, "while-sts-is-down")
        self.sidecar.sts.open()
        self.stage.emulator.rotate_token()
        self.sidecar.await_new(before)
        self.works(self.running, "sts-is-back")

    def _restart(self):
        self.restart(signal.SIGKILL)
