"""All that a story needs: the control plane, the emulator that trusts its tokens, and the webhook."""

import json
import shutil
import subprocess
from pathlib import Path

from cluster.control_plane import ISSUER, NODE, ControlPlane
from cluster.issuer import OPEN, Bucket
from harness.children import Unavailable, must_run

ROLE = "arn:aws:iam::111122223333:role/app"
REGION = "eu-west-1"
NAMESPACE = "shop"


class World:
    def __init__(self, children, directory, arguments, say):
        for program in ("etcd", "openssl", "ip", "curl"):
            if not shutil.which(program):
                raise Unavailable(f"{program} is not there (apt-get install etcd-server openssl iproute2 curl)")
        if not (arguments.kubernetes / "kube-apiserver").exists():
            raise Unavailable(f"there is no kube-apiserver in {arguments.kubernetes}; make control-plane")
        self.children, self.directory, self.say = children, Path(directory), say
        self.node = None
        self.pause, self.application = arguments.pause, arguments.application
        self.helm, self.chart, self.minio = arguments.helm, arguments.chart, arguments.minio
        self.images, self._emulator = arguments.images, arguments.emulator
        self.binary, self.webhook_binary = self.images / "sidecar", self.images / "webhook"
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.cluster = ControlPlane(children, arguments.kubernetes, directory, say)

    def start(self):
        self.cluster.start()
        self.cluster.apply(OPEN)
        self._start_emulator()

    def _start_emulator(self):
        """An STS that trusts this cluster's tokens, of every ServiceAccount of one namespace."""
        bucket = Bucket(self.cluster.authority.certificate, "127.0.0.1")
        policy = self.directory / "trust-policy.json"
        policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Federated": "${PROVIDER_ARN}"}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"${ISSUER_HOST}:aud": "sts.amazonaws.com"},
                "StringLike": {"${ISSUER_HOST}:sub": f"system:serviceaccount:{NAMESPACE}:*"},
            },
        }]}))
        argv = [
            str(self._emulator), f"--listen={NODE}:4566", f"--role={ROLE}", f"--trust-policy={policy}",
            f"--external-issuer={ISSUER}", f"--published-at={bucket.url}",
        ]
        child = self.children.start(argv, {"TMPDIR": str(self.directory)}, self.directory, "emulator")
        announced = self.directory / "emulator.stdout"

        def ready():
            must_run(child, self.directory / "emulator.stderr")
            first, newline, _ = announced.read_text().partition("\n")
            return newline and json.loads(first)

        self.sts = self.children.wait_until("the STS emulator to be ready", ready)
        self.say("the STS emulator trusts the cluster's issuer")

    def end(self):
        if self.node:
            self.node.end()

    def report(self):
        """For whoever must find out why."""
        for what in (("get", "pods,jobs", "-A", "-o", "wide"), ("describe", "pods", "-n", NAMESPACE), ("get", "events", "-A")):
            done = self.cluster.kubectl(*what, check=False)
            print(done.stdout[-6000:], done.stderr[-2000:])
        for pod in self.cluster.json("get", "pods", "-n", NAMESPACE, check=False).get("items", []):
            done = self.cluster.kubectl("logs", pod["metadata"]["name"], "-n", NAMESPACE, "--all-containers", "--tail=20", check=False)
            print(done.stdout, done.stderr)
