"""What k8s/ holds is what a real API server takes: the committed renders, and every example with the pods that come of it."""

from pathlib import Path

from cluster.webhook import NAMESPACE as SYSTEM
from harness.children import Failed

K8S = Path(__file__).resolve().parents[3] / "k8s"
# Their kinds are not in this cluster.
OTHERS = ("cert-manager.io/", "monitoring.coreos.com/")
SIDECAR = "irsa-sidecar"


def renders(world):
    """Before the chart is installed: what is there already would be merged with them."""
    cluster = world.cluster
    cluster.kubectl("create", "namespace", SYSTEM)
    for file in sorted((K8S / "rendered").glob("*.yaml")):
        objects = [part for part in file.read_text().split("\n---\n") if not any(f"apiVersion: {other}" in part for other in OTHERS)]
        done = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-", stdin="\n---\n".join(objects))
        world.say(f"{file.name}: {len(done.stdout.split())} objects would be taken")


def story(world):
    for file in sorted((K8S / "examples").glob("*.yaml")):
        world.say(f"{file.name}: {'; '.join(try_out(world, file))}")


def try_out(world, file):
    """A namespace for each, so that none leans on another."""
    cluster, namespace = world.cluster, f"example-{file.stem}"
    own = "kind: Namespace" in file.read_text()
    if not own:
        cluster.kubectl("create", "namespace", namespace)
    else:
        namespace = "harbor"
    where = [] if own else ["-n", namespace]
    done = cluster.kubectl("apply", "--validate=strict", "-o", "name", "-f", str(file), *where, check=False)
    if done.returncode:
        raise Failed(f"{file.name}: {done.stderr.strip()}")
    for name in (name for name in done.stdout.split() if name.startswith("cronjob")):
        cluster.kubectl("create", "job", "by-hand", f"--from={name}", *where)

    def pods():
        return cluster.json("get", "pods", "-n", namespace)["items"]

    found = world.children.wait_until(f"pods of {file.name}", pods)
    for pod in found:
        name, first = pod["metadata"]["name"], pod["spec"]["initContainers"]
        if SIDECAR not in [container["name"] for container in first]:
            raise Failed(f"{file.name}: pod {name} has no sidecar")
    warnings = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    return [f"{len(found)} pods with the sidecar", *warnings]
