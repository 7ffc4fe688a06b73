"""What goes wrong in clusters: races, an API server that restarts, certificates that end, reviews that are none."""

import base64
import http.client
import json
import ssl
import threading
import time

from cluster.control_plane import NODE, PORT
from cluster.pki import Authority
from cluster.webhook import NAMESPACE as SYSTEM
from cluster.webhook import RELEASE, Webhook, route
from cluster.world import NAMESPACE, ROLE

RESTRICTED = {
    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def story(world):
    # One process that can be looked into, in place of the chart's two pods.
    world.cluster.kubectl("scale", f"deployment/{RELEASE}", "-n", SYSTEM, "--replicas=0")
    if world.webhook.returncode is not None:
        world.webhook.start()
    route(world.cluster)
    pod_security(world)
    same_second(world)
    no_reviews(world)
    flood(world)
    api_server_restarts(world)
    certificates(world)
    latency(world)
    memory(world)
    drain(world)


def account(name, namespace=NAMESPACE, role=ROLE):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": name, "namespace": namespace, "annotations": {"eks.amazonaws.com/role-arn": role}}}


def pod(name, service_account="app", namespace=NAMESPACE, annotations=None):
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"irsa-sidecar/inject": "enabled"}, "annotations": annotations or {}},
        "spec": {"serviceAccountName": service_account, "containers": [
            {"name": "app", "image": "registry.example/app:1", "securityContext": RESTRICTED}]},
    }


def pod_security(world):
    """What is injected passes `restricted`, and what needs more is told and stopped."""
    cluster = world.cluster
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": {
            "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest"}}},
        account("app", "strict"))
    made = json.loads(cluster.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=pod("a", namespace="strict")).stdout)
    assert [c["name"] for c in made["spec"]["initContainers"]] == ["irsa-sidecar"], made
    done = cluster.kubectl("create", "--dry-run=server", "-f", "-", check=False, stdin=pod("b", namespace="strict", annotations={"irsa-sidecar/endpoints": "imds"}))
    assert done.returncode and 'violates PodSecurity "restricted:latest"' in done.stderr and "NET_ADMIN" in done.stderr, done.stderr
    world.say("with Pod Security `restricted` enforced an injected pod is admitted; with net-init it is refused, and told why")


def same_second(world):
    """A pod comes with its ServiceAccount; and before the watch has told of it, which takes some luck."""
    cluster = world.cluster
    for number in range(20):
        name = f"new-{number}"
        cluster.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": [account(name), pod(name, name)]})
        found = cluster.json("get", "pod", name, "-n", NAMESPACE)
        assert found["spec"]["initContainers"][0]["name"] == "irsa-sidecar", name
    names = [f"new-{number}" for number in range(20)]
    cluster.kubectl("delete", "pod", *names, "-n", NAMESPACE, "--grace-period=0", "--force")
    world.say("20 pods in one request with their ServiceAccounts: all injected")
    direct = lambda: world.webhook.metric('irsa_sidecar_webhook_service_account_lookups_total{result="direct"}')
    administrator, connection, before, number = api(world), world.webhook.connect(), direct(), 0
    while direct() == before:
        assert number < 5000, "the watch was quicker 5,000 times"
        put(administrator, account(f"quick-{number}"))
        status, body = post(connection, review(pod("x", f"quick-{number}")))
        assert status == 200 and json.loads(body)["response"]["allowed"], body
        number += 1
    world.say(f"{number} ServiceAccounts, each asked for in the millisecond after it was made: all found, the last before the watch told of it")


def review(pod, namespace=NAMESPACE, **changed):
    request = {
        "uid": "6e3b1d1c", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": namespace,
        "object": pod, **changed,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def post(connection, body, headers=None, path="/inject"):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, body, headers or {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def no_reviews(world):
    webhook = world.webhook
    big = pod("big")
    big["metadata"]["annotations"]["example.com/big"] = "x" * (3 * 1024 * 1024)
    cases = [
        ("no JSON", b"{", 400, "no JSON"), ("empty", b"", 400, "no JSON"), ("deep", b"[" * 40_000, 400, "no JSON"), ("many", b"[" * 1_000_000, 413, "50000 values"),
        ("a pod", pod("x"), 400, "not an AdmissionReview"), ("v1beta1", {**review(pod("x")), "apiVersion": "admission.k8s.io/v1beta1"}, 400, "v1beta1"),
        ("no uid", review(pod("x"), uid=""), 400, "no uid"), ("uid of another type", review(pod("x"), uid=7), 400, "no uid"),
        ("no object", review(None), 400, "no object"), ("an object of another type", review([1]), 400, "no object"),
        ("3 MiB", review(big), 200, '"allowed":true'),
        ("a ServiceAccount that is gone", review(pod("x", "gone")), 200, "is not known"),
        ("an update", review(pod("x"), operation="UPDATE"), 200, '"allowed":true'),
        ("nonsense in the pod", review({"metadata": {"labels": {"irsa-sidecar/inject": "enabled"}}, "spec": {"containers": [7, None]}}), 200, '"allowed":false'),
    ]
    world.cluster.apply(account("app"))
    for name, body, status, words in cases:
        found = post(webhook.connect(), body)
        assert found[0] == status and words in found[1].decode(), (name, found[0], found[1][:300])
    assert post(webhook.connect(), review(pod("x")), {"Content-Type": "text/plain"})[0] == 415
    assert post(webhook.connect(), review(pod("x")), path="/mutate")[0] == 404
    connection = webhook.connect()
    connection.putrequest("POST", "/inject")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(9 * 1024 * 1024))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection = webhook.connect()
    connection.request("GET", "/inject")
    answer = connection.getresponse()
    assert answer.status == 405, answer.status
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    try:
        http.client.HTTPSConnection(NODE, 8443, context=old, timeout=5).request("GET", "/")
        raise AssertionError("TLS 1.2 was spoken")
    except ssl.SSLError:
        pass
    assert webhook.is_ready()
    world.say(f"{len(cases) + 5} requests that are no reviews, or strange ones: each answered, nothing ended")


def flood(world):
    """What somebody in a pod can send: values that grow in memory, and bodies that fill it."""
    webhook = world.webhook
    status, answer = post(webhook.connect(), b"[" + b"{}," * 2_000_000 + b"0]")
    assert status == 413 and b"50000 values" in answer, (status, answer)
    text, stop, sent = json.dumps({"x": "y" * 7_000_000}).encode(), threading.Event(), [0] * 16

    def send(number):
        while not stop.is_set():
            try:
                sent[number] += post(webhook.connect(), text)[0] in (400, 408)
            except OSError:
                pass

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(sent))]
    for thread in threads:
        thread.start()
    try:
        connection, times = webhook.connect(), []
        while sum(sent) < 64:
            began = time.perf_counter()
            status, body = post(connection, json.dumps(review(pod("x"))).encode())
            times.append(time.perf_counter() - began)
            assert status == 200 and json.loads(body)["response"]["allowed"], body
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    peak = resident(webhook.pid, "VmHWM")
    assert peak < 100, f"{peak:.0f} MB"
    world.say(f"16 senders of 7 MB bodies, {sum(sent)} of them: {len(times)} reviews meanwhile, the slowest {max(times) * 1e3:.0f} ms; {peak:.0f} MB at the most")


def api_server_restarts(world):
    cluster, webhook = world.cluster, world.webhook
    cluster.stop_api_server()
    status, body = post(webhook.connect(), review(pod("x")))
    assert status == 200 and json.loads(body)["response"]["allowed"], body
    status, body = post(webhook.connect(), review(pod("x", "never-seen")))
    response = json.loads(body)["response"]
    assert not response["allowed"] and "cannot be read from the API server" in response["status"]["message"], response
    cluster.start_api_server()
    cluster.apply(account("after"))
    world.children.wait_until("a pod to be injected again", lambda: "irsa-sidecar" in cluster.kubectl(
        "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=pod("x", "after"), check=False).stdout)
    world.say("while the API server was away what is known was answered, the rest refused with the reason; it came back, and so did the watch")


def certificates(world):
    """The authority is the test's own, so that it can make one that is over."""
    cluster, webhook = world.cluster, world.webhook
    authority = Authority(world.directory / "webhook-pki")
    host = [f"DNS:{RELEASE}.{SYSTEM}.svc"]
    pairs = {name: [path.read_bytes() for path in authority.issue(name, "/CN=webhook", host, days)] for name, days in (("first", 1), ("over", -1), ("second", 1))}
    bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
    attempt = lambda: cluster.kubectl("create", "--dry-run=server", "-o", "name", "-f", "-", stdin=pod("x"), check=False)
    webhook.put(*pairs["first"])
    webhook.authority.write_bytes(authority.certificate.read_bytes())
    cluster.kubectl("patch", "mutatingwebhookconfiguration", RELEASE, "--type=json", "-p", json.dumps(
        [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]))
    world.children.wait_until("the first certificate to be served", lambda: attempt().returncode == 0)
    has_log = lambda code: any(line.get("code") == code for line in webhook.log())
    # A key that is not of the pair.
    webhook.put(pairs["second"][0], pairs["first"][1])
    world.children.wait_until("the pair to be refused", lambda: has_log("CertificateUnusable"))
    assert attempt().returncode == 0
    webhook.put(*pairs["over"])
    world.children.wait_until("its end to be told", lambda: has_log("CertificateExpired"))
    # The API server looks at the certificate when it connects, and stays connected.
    assert attempt().returncode == 0
    cluster.stop_api_server()
    cluster.start_api_server()
    done = world.children.wait_until("the API server to refuse it", lambda: (lambda d: d if d.returncode else None)(attempt()))
    assert "certificate has expired" in done.stderr, done.stderr
    assert webhook.metric("irsa_sidecar_webhook_certificate_expiry_timestamp_seconds") < time.time()
    webhook.put(*pairs["second"])
    world.children.wait_until("the renewed certificate to be served", lambda: attempt().returncode == 0)
    world.say("a wrong pair changed nothing; an expired certificate was told in log, metric and kubectl; a renewed one was served without a restart")


def latency(world):
    """2,000 reviews, then the same while 20 ServiceAccounts change each second."""
    world.cluster.apply(account("app"))
    body = json.dumps(review(pod("x"))).encode()

    def measure(pause=0):
        connection, times = world.webhook.connect(), []
        for _ in range(2000):
            time.sleep(pause)
            began = time.perf_counter()
            status, answer = post(connection, body)
            times.append(time.perf_counter() - began)
            assert status == 200 and b'"allowed":true' in answer
        times.sort()
        return f"p50 {times[999] * 1e3:.2f} ms, p99 {times[1979] * 1e3:.2f} ms"

    world.say(f"2,000 reviews over one connection: {measure()}")
    stop, changed = threading.Event(), [0]

    def change():
        connection = api(world)
        while not stop.wait(0.045):
            name = f"changing-{changed[0] % 20}"
            put(connection, account(name, role=f"{ROLE}-{changed[0]}"))
            changed[0] += 1

    for number in range(20):
        put(api(world), account(f"changing-{number}"))
    thread = threading.Thread(target=change)
    thread.start()
    try:
        began = time.monotonic()
        figures = measure(pause=0.005)
        rate = changed[0] / (time.monotonic() - began)
    finally:
        stop.set()
        thread.join()
    world.say(f"the same while ServiceAccounts change, {rate:.0f} a second: {figures}")


def memory(world):
    """10,000 ServiceAccounts with a role each."""
    before = resident(world.webhook.pid)

    def create(numbers):
        connection = api(world)
        for number in numbers:
            put(connection, account(f"many-{number}", namespace="many"))

    world.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "many"}})
    threads = [threading.Thread(target=create, args=(range(first, 10_000, 8),)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.children.wait_until("all to be known", lambda: world.webhook.metric("irsa_sidecar_webhook_service_accounts") >= 10_000)
    after = resident(world.webhook.pid)
    fresh = Webhook(world, world.chart_installed, name="fresh", port=8444, admin=9914).start()
    listed = resident(fresh.pid)
    fresh.end()
    world.say(f"memory of the webhook: {before:.1f} MB before, {after:.1f} MB with 10,000 ServiceAccounts; started anew and listed: {listed:.1f} MB")


def drain(world):
    webhook, connection = world.webhook, world.webhook.connect()
    assert post(connection, review(pod("x")))[0] == 200
    threading.Thread(target=webhook.end, daemon=True).start()
    world.children.wait_until("not to be ready", lambda: webhook.admin("/ready")[0] == 503)
    assert post(connection, review(pod("x")))[0] == 200, "an open connection"
    assert post(webhook.connect(), review(pod("x")))[0] == 200, "a new one"
    world.children.wait_until("its end", lambda: webhook.returncode is not None)
    assert webhook.returncode == 0, webhook.returncode
    world.say("SIGTERM: not ready at once, serving on for the drain, ended with 0")
    webhook.start()


def resident(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) / 1024


def api(world):
    """A connection of the administrator's."""
    context = ssl.create_default_context(cafile=str(world.cluster.authority.certificate))
    pki = world.cluster.authority.directory
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    return http.client.HTTPSConnection(NODE, PORT, context=context, timeout=30)


def put(connection, thing):
    path = f"/api/v1/namespaces/{thing['metadata']['namespace']}/serviceaccounts/{thing['metadata']['name']}?fieldManager=it&force=true"
    connection.request("PATCH", path, json.dumps(thing), {"Content-Type": "application/apply-patch+yaml"})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (200, 201), text
