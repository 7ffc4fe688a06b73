"""The chart is installed with Helm; the API server calls the webhook over TLS; the pods of tests/data/admission go through it."""

import json

from cluster.cases import cases, missing
from cluster.webhook import NAMESPACE as SYSTEM
from cluster.webhook import RELEASE, Chart, Webhook, route
from cluster.world import NAMESPACE, REGION

IMAGE = "registry.example/irsa-sidecar"


def install(world):
    chart = Chart(world, world.helm, world.chart)
    told = chart.install(region=REGION, **{"images.sidecar.repository": IMAGE, "images.sidecar.tag": "1"})
    assert "label the pods" in told.lower(), told
    before = chart.secret()
    chart.install(region=REGION, **{"images.sidecar.repository": IMAGE, "images.sidecar.tag": "1"})
    assert chart.secret() == before, "an upgrade made another certificate"
    world.say("helm install; an upgrade kept the certificate")
    world.chart_installed = chart
    world.webhook = Webhook(world, chart).start()
    route(world.cluster)
    world.say("the webhook is ready, with the chart's own rights")
    may = lambda *what: world.cluster.kubectl(
        "auth", "can-i", *what, f"--as=system:serviceaccount:{SYSTEM}:{RELEASE}", "-A", check=False).stdout.strip()
    assert (may("list", "serviceaccounts"), may("get", "secrets"), may("create", "serviceaccounts/token"), may("list", "pods")) == (
        "yes", "no", "no", "no")


def story(world):
    cluster = world.cluster
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    install(world)
    ran, left, wrong = 0, [], []
    for case in cases(cluster):
        if not case.plain:
            left.append(case.name)
            continue
        ran += 1
        found = play(cluster, case)
        if found:
            wrong.append(f"{case.name}: {found}")
    world.say(f"{ran} pods through the API server (--dry-run=server); with settings of their own, and so in the unit tests alone: {', '.join(left)}")
    assert not wrong, "\n".join(wrong)


def play(cluster, case):
    cluster.kubectl("delete", "serviceaccount", "app", "-n", NAMESPACE, "--ignore-not-found")
    for account in case.accounts:
        cluster.kubectl("apply", "-f", "-", stdin=account)
    if not case.accounts:
        # The API server refuses a pod whose ServiceAccount it does not know, before any webhook is asked.
        done = cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=case.pod, check=False)
        return [] if 'serviceaccount "app" not found' in done.stderr else [done.stderr]
    done = cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=case.pod, check=False)
    warnings = [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]
    expect = case.head["expect"]
    if "refused" in expect:
        sentence = f'denied the request: {expect["refused"].strip()}'
        return [] if done.returncode and sentence in done.stderr else [f"not refused: {done.stderr}"]
    if done.returncode:
        return [done.stderr.strip()]
    pod = json.loads(done.stdout)
    # Kubernetes passes on 256 bytes of a warning.
    cut = [w if len(w.encode()) <= 256 else w.encode()[:253].decode(errors="ignore") + "…" for w in case.warnings]
    found = [f"no warning {warning!r} in {warnings}" for warning in cut if warning not in warnings]
    if expect.get("untouched"):
        return found + (["touched"] if "irsa-sidecar" in json.dumps(pod["spec"]) else [])
    return found + missing(expect["pod"], pod)
