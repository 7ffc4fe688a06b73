"""Requests of the harness's own."""

import urllib.request

USER_AGENT = "kube-probe/conformance"
"""As a probe: `requests_total` then tells our requests from the clients'."""
SDK = "kube-probe"

# Loopback must be reached directly, whatever proxy the machine has.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(url, data=None, headers=None, timeout=10):
    """The body; a status of 400 or above raises."""
    headers = {"User-Agent": USER_AGENT, **(headers or {})}
    with OPENER.open(urllib.request.Request(url, data=data, headers=headers), timeout=timeout) as answer:
        return answer.read()
