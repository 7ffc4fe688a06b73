"""The webhook as the chart installs it. Without a node its pods stay pending, and the very program that they would run is
started here, with the arguments, the certificate and the rights that the chart gives it."""

import base64
import http.client
import json
import ssl
import subprocess

from cluster.control_plane import NODE, PORT
from harness.children import Failed, must_run

RELEASE = "irsa-sidecar"
NAMESPACE = "irsa-system"
LISTEN = 8443
ADMIN = 9913


class Chart:
    def __init__(self, world, helm, chart):
        self._world, self._helm, self._chart = world, helm, chart

    def install(self, **values):
        argv = [str(self._helm), "upgrade", "--install", RELEASE, str(self._chart), "--namespace", NAMESPACE, "--create-namespace"]
        for name, value in values.items():
            argv += ["--set-string" if name.endswith("tag") else "--set", f"{name}={value}"]
        environment = {
            "KUBECONFIG": str(self._world.cluster.admin), "HOME": str(self._world.directory), "PATH": "/usr/bin:/bin",
            "HELM_CACHE_HOME": str(self._world.directory / "helm"),
        }
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=180)
        if done.returncode:
            raise Failed(f"`{' '.join(argv)}`: {done.stderr.strip()}")
        return done.stdout

    def secret(self):
        data = self._world.cluster.json("get", "secret", f"{RELEASE}-tls", "-n", NAMESPACE)["data"]
        return {name: base64.b64decode(value) for name, value in data.items()}


class Webhook:
    """A process in place of the Deployment's pods."""

    def __init__(self, world, chart, name="webhook", port=LISTEN, admin=ADMIN, **changed):
        self._world, self._port, self._admin, self._name = world, port, admin, name
        self.directory = world.directory / name
        self.directory.mkdir(exist_ok=True)
        self.certificate, self.key = self.directory / "tls.crt", self.directory / "tls.key"
        secret = chart.secret()
        self.authority = self.directory / "ca.crt"
        self.authority.write_bytes(secret["ca.crt"])
        self.put(secret["tls.crt"], secret["tls.key"])
        deployment = world.cluster.json("get", "deployment", RELEASE, "-n", NAMESPACE)
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        kept = [argument for argument in arguments if not argument.startswith(("--listen", *(f"--{name}=" for name in changed)))]
        self._argv = [
            str(world.webhook_binary), *kept, f"--listen={NODE}:{port}", f"--admin-listen={NODE}:{admin}",
            f"--tls-cert-file={self.certificate}", f"--tls-key-file={self.key}",
            *(f"--{name}={value}" for name, value in changed.items() if value is not None),
        ]

    def put(self, certificate, key):
        """As a mounted Secret changes: the old pair is replaced by a rename."""
        for path, content in ((self.key, key), (self.certificate, certificate)):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.rename(path)

    def start(self):
        self._child = self._world.children.start(
            self._argv, {"KUBECONFIG": str(self._kubeconfig())}, self.directory, "webhook")
        self._world.children.wait_until("the webhook to be ready", self.is_ready)
        return self

    def is_ready(self):
        must_run(self._child, self.directory / "webhook.stderr")
        return self.admin("/ready")[0] == 200

    @property
    def pid(self):
        return self._child.pid

    def end(self):
        self._world.children.end(self._child, patience=15)

    @property
    def returncode(self):
        return self._child.poll()

    def log(self):
        return [json.loads(line) for line in (self.directory / "webhook.stderr").read_text().splitlines() if line.startswith("{")]

    def admin(self, path):
        connection = http.client.HTTPConnection(NODE, self._admin, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def metric(self, line):
        """The value of the one line that begins so."""
        found = [text for text in self.admin("/metrics")[1].splitlines() if text.startswith(line)]
        return float(found[0].rsplit(" ", 1)[1]) if found else None

    def connect(self):
        context = ssl.create_default_context(cafile=str(self.authority))
        context.check_hostname = False
        return http.client.HTTPSConnection(NODE, self._port, context=context, timeout=20)

    def _kubeconfig(self):
        """With the chart's ServiceAccount's own token, and so with its rights."""
        token = self._world.cluster.kubectl("create", "token", RELEASE, "-n", NAMESPACE, "--duration=2h").stdout.strip()
        path = self.directory / "kubeconfig"
        server = {"server": f"https://{NODE}:{PORT}", "certificate-authority": str(self._world.cluster.authority.certificate)}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": server}], "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))
        return path


def route(cluster, port=LISTEN):
    """Makes the process the one endpoint of the webhook's Service."""
    cluster.apply({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{RELEASE}-process", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": RELEASE}},
        "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
        "ports": [{"name": "webhook", "port": port, "protocol": "TCP"}],
    })
