"""A real control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, in this network namespace.

Everything has addresses of `lo` here, and nothing leads out: the node's, the Service of the API server. There is no
kube-proxy: the API server listens on the very address and port of its own Service, and finds a webhook's Service by its
endpoints.
"""

import json
import subprocess
from pathlib import Path

from cluster.pki import Authority
from harness.children import Failed, must_run

NODE = "10.90.0.1"
SERVICE = "10.96.0.1"
SERVICES = "10.96.0.0/16"
PORT = 443
ISSUER = f"https://{NODE}"
ADDRESSES = (NODE, SERVICE)


class ControlPlane:
    def __init__(self, children, binaries, directory, say):
        self.children, self.binaries, self.directory, self._say = children, Path(binaries), Path(directory), say
        self.authority = Authority(self.directory / "pki")
        self._servers = {}
        names = [f"IP:{NODE}", f"IP:{SERVICE}", "IP:127.0.0.1", "DNS:kubernetes.default.svc", "DNS:localhost"]
        self.serving = self.authority.issue("apiserver", "/CN=kube-apiserver", names)
        self.signing = self.authority.signing_key("service-account")
        self.admin = self.kubeconfig("admin", "/O=system:masters/CN=admin")
        self._client = self.authority.issue("apiserver-client", "/O=system:masters/CN=kube-apiserver")

    def kubeconfig(self, name, subject):
        """For a user of the API server."""
        certificate, key = self.authority.issue(name, subject)
        path = self.directory / f"{name}.kubeconfig"
        cluster = {"server": f"https://{NODE}:{PORT}", "certificate-authority": str(self.authority.certificate)}
        user = {"client-certificate": str(certificate), "client-key": str(key)}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }))
        return path

    def start(self):
        for address in ADDRESSES:
            subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
        self._start_etcd()
        self.start_api_server()
        self._start("kube-controller-manager", [
            f"--kubeconfig={self.admin}", f"--service-account-private-key-file={self.signing[0]}",
            f"--root-ca-file={self.authority.certificate}", "--use-service-account-credentials=false", "--leader-elect=false",
            "--allocate-node-cidrs=true", "--cluster-cidr=10.88.0.0/16", f"--service-cluster-ip-range={SERVICES}",
            "--authorization-always-allow-paths=/healthz", "--bind-address=127.0.0.1",
        ])
        self._start("kube-scheduler", [f"--kubeconfig={self.admin}", "--leader-elect=false", "--bind-address=127.0.0.1"])
        self._wait("the namespace's ServiceAccount", lambda: self.kubectl(
            "get", "serviceaccount", "default", "-n", "default", check=False).returncode == 0)
        self._say("controller manager and scheduler are at work")

    def _start_etcd(self):
        url = "http://127.0.0.1:2379"
        self._start("etcd", [
            f"--data-dir={self.directory / 'etcd'}", f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
            "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync",
        ], program="etcd")
        self.children.wait_until("etcd to answer", lambda: subprocess.run(
            ["curl", "-sf", f"{url}/health"], capture_output=True, check=False).returncode == 0)
        self._say("etcd answers")

    def start_api_server(self):
        ca = self.authority.certificate
        self._start("kube-apiserver", [
            "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={NODE}", "--bind-address=0.0.0.0",
            f"--secure-port={PORT}", f"--tls-cert-file={self.serving[0]}", f"--tls-private-key-file={self.serving[1]}",
            f"--client-ca-file={ca}", f"--service-cluster-ip-range={SERVICES}",
            f"--service-account-issuer={ISSUER}", f"--service-account-jwks-uri={ISSUER}/openid/v1/jwks", f"--service-account-key-file={self.signing[1]}",
            f"--service-account-signing-key-file={self.signing[0]}", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--enable-aggregator-routing=true",
            "--kubelet-preferred-address-types=InternalIP", f"--kubelet-client-certificate={self._client[0]}", f"--kubelet-client-key={self._client[1]}",
            "--service-account-max-token-expiration=0s", "--endpoint-reconciler-type=none", "--profiling=false",
        ])
        self._wait("the API server to be ready", lambda: self.kubectl(
            "get", "--raw", "/readyz", check=False).stdout == "ok")
        self._say("the API server is ready")

    def stop_api_server(self):
        self.children.end(self._servers["kube-apiserver"])

    def _start(self, name, arguments, program=None):
        program = program or self.binaries / name
        child = self.children.start([str(program), *arguments], {}, self.directory, name)
        self._servers[name] = child

    def _wait(self, what, condition):
        def holds():
            self.must_live()
            return condition()

        self.children.wait_until(what, holds, patience=180)

    def must_live(self):
        for name, child in self._servers.items():
            must_run(child, self.directory / f"{name}.stderr")

    def kubectl(self, *arguments, stdin=None, check=True, user=None):
        argv = [str(self.binaries / "kubectl"), f"--kubeconfig={user or self.admin}", "--cache-dir=/tmp/kubectl-cache", *arguments]
        if stdin is not None and not isinstance(stdin, str):
            stdin = json.dumps(stdin)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=180)
        if check and done.returncode:
            raise Failed(f"`kubectl {' '.join(arguments)}`: {done.stderr.strip()}")
        return done

    def json(self, *arguments, **how):
        return json.loads(self.kubectl(*arguments, "-o", "json", **how).stdout or "{}")

    def apply(self, *objects):
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": list(objects)})
