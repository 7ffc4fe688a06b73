"""What a user sees: the chart's own pods, then a labelled pod with an SDK of 2019 in it, on a real node."""

import json
import time

from cluster.images import archive
from cluster.node import PAUSE, Node
from cluster.webhook import NAMESPACE as SYSTEM
from cluster.webhook import RELEASE
from cluster.world import NAMESPACE, REGION, ROLE
from harness.http import request

SIDECAR, WEBHOOK, APPLICATION = (f"registry.example/{name}:1" for name in ("irsa-sidecar", "irsa-sidecar-webhook", "application"))


def story(world):
    node = Node(world)
    world.node = node
    node.start()
    images(world, node)
    chart(world)
    starts_after_its_credentials(world)
    doctor(world)
    debug(world)
    imds(world)
    job(world)
    deletion(world)


def images(world, node):
    made = [
        (PAUSE, {"pause": world.pause}, {"Entrypoint": ["/pause"], "User": "65535:65535"}),
        (APPLICATION, {"application": world.application}, {"Entrypoint": ["/application"], "User": "1000", "Env": ["PATH=/"]}),
    ]
    for index, (name, files, config) in enumerate(made):
        node.import_image(archive(node.directory / f"image-{index}.tar", name, files, config))
    for name, file in ((SIDECAR, "sidecar.tar"), (WEBHOOK, "webhook.tar")):
        node.import_image(world.images / file, name)
    world.say("images imported, those of the Dockerfile among them")


def chart(world):
    """The webhook's own pods take over from the process."""
    cluster = world.cluster
    world.webhook.end()
    cluster.kubectl("delete", "endpointslice", f"{RELEASE}-process", "-n", SYSTEM)
    world.chart_installed.install(region=REGION, **{
        "images.sidecar.repository": SIDECAR.rpartition(":")[0], "images.sidecar.tag": "1",
        "images.webhook.repository": WEBHOOK.rpartition(":")[0], "images.webhook.tag": "1",
        "sidecar.env.AWS_ENDPOINT_URL_STS": world.sts["sts"],
    })
    cluster.kubectl("rollout", "status", f"deployment/{RELEASE}", "-n", SYSTEM, "--timeout=120s")
    world.say("the chart's own pods are ready, two of them")


def pod(name, arguments, annotations=None, **spec):
    application = {
        "name": "app", "image": APPLICATION, "args": arguments,
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"irsa-sidecar/inject": "enabled"}, "annotations": annotations or {}},
        "spec": {"serviceAccountName": "legacy", "containers": [application], **spec},
    }


def starts_after_its_credentials(world):
    cluster = world.cluster
    cluster.apply({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "legacy", "namespace": NAMESPACE, "annotations": {
            "eks.amazonaws.com/role-arn": ROLE, "eks.amazonaws.com/token-expiration": "600"}},
    })
    lever(world, "refuse")
    began = time.monotonic()
    # The shortest session, of which that SDK leaves five minutes unused: it asks again after ten.
    cluster.apply(pod("legacy", ["-sts", world.sts["sts"], "-every", "5s"], {"irsa-sidecar/session-duration": "15m"}))
    world.children.wait_until("the sidecar to be refused", lambda: "ConnectionFailed" in logs(world, "legacy", "irsa-sidecar"))
    state = status(world, "legacy")
    assert not state["initContainerStatuses"][0]["started"] and "waiting" in state["containerStatuses"][0]["state"], state
    world.say("STS is away: the sidecar runs and is not ready, the application has not started")
    send(world, "legacy", "SIGKILL")
    last = lambda: status(world, "legacy")["initContainerStatuses"][0]["lastState"].get("terminated", {}).get("message", "")
    message = world.children.wait_until("the kubelet to tell its last words", last)
    assert message.startswith("role default: ConnectionFailed"), message
    world.say(f"killed meanwhile, it is started again, and kubectl describe says why it had nothing: {message}")
    lever(world, "listen")
    world.children.wait_until("the application to have an identity", lambda: said(world, "legacy"))
    lines = said(world, "legacy")
    assert all("arn" in line for line in lines), lines
    assert lines[0]["arn"].startswith("arn:aws:sts::111122223333:assumed-role/app/shop-legacy"), lines[0]
    world.say(f"STS is back: the application's first call went well, {time.monotonic() - began:.1f} s after the pod was made: {lines[0]}")


def doctor(world):
    """In the pod itself, of the kubelet's own volume, with the user, the rights and the network that the sidecar has."""
    command = ["/irsa-sidecar", "doctor", "--json"]
    found = world.cluster.kubectl("exec", "legacy", "-n", NAMESPACE, "-c", "irsa-sidecar", "--", *command, check=False)
    checks = json.loads(found.stdout)["checks"]
    wrong = [check["code"] for check in checks if check["severity"] in ("warning", "broken")]
    # The pod asks for short sessions; this STS is asked by plain HTTP, at an address that is not loopback's.
    assert wrong == ["SessionShort", "EndpointInClear"], found.stdout
    fine = {check["check"] for check in checks if check["severity"] == "fine"}
    assert fine >= {"environment", "token-file", "token", "network", "exchange", "identity", "sidecar"}, found.stdout
    assert "in a projected volume" in found.stdout and ":assumed-role/app/shop-legacy" in found.stdout, found.stdout
    world.say(f"doctor, by kubectl exec in the sidecar's container, finds fine: {', '.join(sorted(fine))}")


def debug(world):
    """Beside an application that has no sidecar, by `kubectl debug`: as root, who takes on the process's root and user, and as
    that user, who cannot."""
    cluster = world.cluster
    token = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}}
    plain = pod("plain", ["-sts", world.sts["sts"], "-every", "5s"], volumes=[{"name": "aws-iam-token", "projected": {"sources": [token]}}])
    del plain["metadata"]["labels"]
    directory = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
    plain["spec"]["securityContext"] = {"fsGroup": 1000}
    plain["spec"]["containers"][0] |= {
        "volumeMounts": [{"name": "aws-iam-token", "mountPath": directory, "readOnly": True}],
        "env": [{"name": name, "value": value} for name, value in (
            ("AWS_ROLE_ARN", ROLE), ("AWS_REGION", REGION), ("AWS_WEB_IDENTITY_TOKEN_FILE", f"{directory}/token"))],
    }
    cluster.apply(plain)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/plain", "-n", NAMESPACE, "--timeout=60s")
    for who, context in (("root", {"runAsUser": 0, "runAsNonRoot": False}), ("user", {"runAsUser": 1000})):
        custom = world.directory / f"{who}.json"
        custom.write_text(json.dumps({"securityContext": context}))
        cluster.kubectl(
            "debug", "plain", "-n", NAMESPACE, "--profile=general", f"--custom={custom}", f"--image={SIDECAR}", "--target=app",
            f"--container=by-{who}", "--", "/irsa-sidecar", "doctor", "--json", "--pid", "1")

        def ended():
            found = [c for c in status(world, "plain").get("ephemeralContainerStatuses", ()) if c["name"] == f"by-{who}"]
            return found and found[0]["state"].get("terminated")

        end = world.children.wait_until(f"doctor to end, by {who}", ended)
        output = logs(world, "plain", f"by-{who}")
        assert end["exitCode"] == 0, output
        report = json.loads(output[output.index("{"):])
        fine = {check["check"] for check in report["checks"] if check["severity"] == "fine"}
        assert fine == {"environment", "token-file", "token"} and report["offline"], output
        assert "in a projected volume" in output and "ServiceAccount legacy in namespace" in output and "group 1000" in output, output
    world.say("doctor --pid 1, by kubectl debug as root and as the application's user, finds the application's token in its volume")


def imds(world):
    """A namespace may be told to let net-init in; then the SDK finds the role with no variable at all."""
    cluster = world.cluster
    done = cluster.kubectl("apply", "-f", "-", stdin=pod("metadata", ["-sts", world.sts["sts"], "-every", "5s", "-fresh"], {
        "irsa-sidecar/endpoints": "imds"}))
    assert "NET_ADMIN" in done.stderr, done.stderr
    world.children.wait_until("the application to have an identity", lambda: said(world, "metadata"))
    line = said(world, "metadata")[0]
    assert line.get("provider") == "EC2RoleProvider", line
    world.say(f"by IMDS on the claimed address: {line}")


def job(world):
    cluster = world.cluster
    template = pod("x", ["-sts", world.sts["sts"]], restartPolicy="Never")
    del template["metadata"]["name"], template["apiVersion"], template["kind"]
    cluster.apply({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": NAMESPACE},
        "spec": {"template": template, "backoffLimit": 0},
    })
    cluster.kubectl("wait", "--for=condition=complete", "job/once", "-n", NAMESPACE, "--timeout=60s")
    found = cluster.json("get", "pods", "-n", NAMESPACE, "-l", "job-name=once")["items"][0]
    states = {c["name"]: c["state"] for c in found["status"]["initContainerStatuses"] + found["status"]["containerStatuses"]}
    assert all(state["terminated"]["exitCode"] == 0 for state in states.values()), states
    world.say("a Job completed, its sidecar ended after it with status 0")


def deletion(world):
    began = time.monotonic()
    world.cluster.kubectl("delete", "pod", "metadata", "-n", NAMESPACE, "--timeout=60s")
    took = time.monotonic() - began
    assert took < 15, f"{took:.1f} s"
    world.say(f"kubectl delete pod took {took:.1f} s of the 30 it may")


def rotation(world):
    """The kubelet's own: a token of ten minutes is replaced after eight."""
    before = said(world, "legacy")[0]["key"]
    world.say("waiting for the kubelet to rotate the token, eight minutes after the pod was made")
    world.children.wait_until(
        "the kubelet to rotate the token", lambda: metric(world, "legacy", "irsa_sidecar_token_changes_total") > 1, patience=720)
    world.say("the kubelet has rotated the token")
    exchanged = 'irsa_sidecar_exchange_total{role="default",result="success",code=""}'
    count = metric(world, "legacy", exchanged)
    # So that the new token is exchanged before the SDK asks.
    send(world, "legacy", "SIGHUP")
    world.children.wait_until("an exchange of the new token", lambda: metric(world, "legacy", exchanged) > count)
    world.say("and the sidecar has exchanged the new one")
    lines = world.children.wait_until("the application to have other keys", lambda: [
        line for line in said(world, "legacy") if line.get("key") not in (None, before)], patience=240)
    everything = said(world, "legacy")
    assert all("arn" in line for line in everything), [line for line in everything if "arn" not in line]
    world.say(f"{len(everything)} calls of the application, none failed; the last: {lines[-1]}")


def metric(world, name, line):
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}:9912/proxy/metrics"
    lines = world.cluster.kubectl("get", "--raw", path, check=False).stdout.splitlines()
    return sum(float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(line))


def send(world, name, what):
    """A signal to the pod's sidecar, which has no shell to be asked in."""
    container = status(world, name)["initContainerStatuses"][0]["containerID"].removeprefix("containerd://")
    world.node.signal(container, what)


def logs(world, name, container):
    return world.cluster.kubectl("logs", name, "-n", NAMESPACE, "-c", container, check=False).stdout


def said(world, name):
    return [json.loads(line) for line in logs(world, name, "app").splitlines() if line.startswith("{")]


def status(world, name):
    return world.cluster.json("get", "pod", name, "-n", NAMESPACE)["status"]


def lever(world, what):
    request(f"{world.sts['control']}/{what}", b"")
