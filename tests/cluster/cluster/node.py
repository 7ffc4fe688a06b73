"""A real node: Debian's containerd and runc, and a kubelet of the control plane's own release.

Two things of this kind of machine are told to it: cgroups are v1, which the kubelet takes with `failCgroupV1: false`; and
where root may neither raise limits nor lower oom scores, runc is called through a script that leaves those of a
container's configuration out.
"""

import json
import shutil
import subprocess
from pathlib import Path

from cluster.control_plane import NODE
from harness.children import Unavailable, must_run

NAME = "node-1"
PODS = "10.88.0.0/24"
PAUSE = "localhost/pause:1"
TUNABLES = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")

RUNC = """#!/usr/bin/env python3
import json, os, sys
bundle = "."
for index, argument in enumerate(sys.argv):
    if argument in ("--bundle", "-b"):
        bundle = sys.argv[index + 1]
path = os.path.join(bundle, "config.json")
if "create" in sys.argv and os.path.exists(path):
    with open(path) as file:
        config = json.load(file)
    config["process"].pop("oomScoreAdj", None)
    config["process"].pop("rlimits", None)
    with open(path, "w") as file:
        json.dump(config, file)
os.execv(RUNC, [RUNC, *sys.argv[1:]])
"""


class Node:
    def __init__(self, world):
        for program in ("containerd", "runc", "ctr", "iptables"):
            if not shutil.which(program):
                raise Unavailable(f"{program} is not there (apt-get install containerd runc iptables containernetworking-plugins)")
        self._world, self.directory = world, world.directory / "node"
        self.directory.mkdir()
        self._socket = self.directory / "containerd.sock"
        self._children = {}

    def start(self):
        self._tunables = {name: Path("/proc/sys", name).read_text() for name in TUNABLES if Path("/proc/sys", name).exists()}
        try:
            self._network()
            self._containerd()
            self._kubelet()
        finally:
            # The kubelet sets what is the whole machine's.
            for name, value in self._tunables.items():
                Path("/proc/sys", name).write_text(value)
        return self

    def _network(self):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        plugins = self.directory / "cni"
        plugins.mkdir()
        (plugins / "10-bridge.conflist").write_text(json.dumps({
            "cniVersion": "0.4.0", "name": "pods", "plugins": [
                {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": {
                    "type": "host-local", "dataDir": str(self.directory / "ipam"),
                    "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}},
            ]}))

    def _containerd(self):
        wrapper = self.directory / "runc"
        wrapper.write_text(RUNC.replace("RUNC", json.dumps(shutil.which("runc"))))
        wrapper.chmod(0o755)
        config = self.directory / "containerd.toml"
        config.write_text(f"""
version = 2
root = "{self.directory}/containerd"
state = "{self.directory}/run"
[grpc]
  address = "{self._socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  enable_unprivileged_ports = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{self.directory}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{wrapper}"
      SystemdCgroup = false
""")
        self._begin("containerd", ["containerd", "--config", str(config)])
        self._world.children.wait_until("containerd to answer", lambda: self._alive() and self._ctr("version").returncode == 0)
        self._world.say("containerd answers")

    def _kubelet(self):
        cluster = self._world.cluster
        serving = cluster.authority.issue("kubelet", f"/CN={NAME}", [f"IP:{NODE}", f"DNS:{NAME}"])
        config = self.directory / "kubelet.json"
        config.write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"x509": {"clientCAFile": str(cluster.authority.certificate)}, "anonymous": {"enabled": False}},
            "tlsCertFile": str(serving[0]), "tlsPrivateKeyFile": str(serving[1]), "address": NODE,
            "containerRuntimeEndpoint": f"unix://{self._socket}", "cgroupDriver": "cgroupfs", "failCgroupV1": False,
            "failSwapOn": False, "cgroupsPerQOS": False, "enforceNodeAllocatable": [], "resolvConf": "",
            "evictionHard": {"imagefs.available": "1%", "nodefs.available": "1%", "memory.available": "50Mi"},
            "imageGCHighThresholdPercent": 100, "syncFrequency": "10s", "oomScoreAdj": 0,
            "podLogsDir": f"{self.directory}/logs", "containerLogMaxSize": "10Mi",
            "featureGates": {"KubeletInUserNamespace": True},
        }))
        kubeconfig = cluster.kubeconfig("kubelet", f"/O=system:nodes/CN=system:node:{NAME}")
        self._begin("kubelet", [
            str(cluster.binaries / "kubelet"), f"--config={config}", f"--kubeconfig={kubeconfig}",
            f"--root-dir={self.directory}/kubelet", f"--hostname-override={NAME}", f"--node-ip={NODE}",
            f"--cert-dir={self.directory}/certificates", "--v=2",
        ])

        def is_ready():
            self._alive()
            found = cluster.kubectl("get", "node", NAME, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}", check=False)
            return found.stdout == "True"

        self._world.children.wait_until("the node to be ready", is_ready, patience=120)
        self._world.say("the node is ready: " + cluster.kubectl(
            "get", "node", NAME, "-o", "jsonpath={.status.nodeInfo.kubeletVersion} {.status.nodeInfo.containerRuntimeVersion} {.status.nodeInfo.kernelVersion}").stdout)

    def import_image(self, path, name=None):
        """Under the name that the archive says, or another."""
        # containerd 1.6 may collect a layer between its import and its use; the next time it is there.
        for _ in range(3):
            done = self._ctr("-n", "k8s.io", "images", "import", *([f"--index-name={name}"] if name else []), str(path))
            if done.returncode == 0 or "not found" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr

    def signal(self, container, what):
        done = self._ctr("-n", "k8s.io", "tasks", "kill", "-s", what, container)
        assert done.returncode == 0, done.stderr

    def end(self):
        for name in ("kubelet", "containerd"):
            if name in self._children:
                self._world.children.end(self._children[name])

    def _begin(self, name, argv):
        self._children[name] = self._world.children.start(argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, self.directory, name)

    def _alive(self):
        for name, child in self._children.items():
            must_run(child, self.directory / f"{name}.stderr")
        return True

    def _ctr(self, *arguments):
        return subprocess.run(["ctr", "--address", str(self._socket), *arguments], capture_output=True, text=True, check=False)
