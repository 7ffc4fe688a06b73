"""The three ways to a sidecar's credentials: where it listens for each, and what a client is told."""

from dataclasses import dataclass

REGION = "eu-central-1"
PORT = 9911
"""The default listeners'. The sidecar has a network namespace to itself, so it needs no other."""


@dataclass(frozen=True)
class Endpoint:
    name: str
    listen: str
    """`--listen`; empty for the default listeners."""
    told: dict
    """The client's environment, beside the region."""
    metric: str
    """How `irsa_sidecar_requests_total` calls it."""


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint(
            "container",
            "",
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{PORT}/v1/credentials",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            "container",
        ),
        Endpoint(
            "ecs",
            f"127.0.0.1:{PORT},169.254.170.2:80",
            {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v1/credentials", "AWS_EC2_METADATA_DISABLED": "true"},
            "container",
        ),
        Endpoint("imds", f"127.0.0.1:{PORT},169.254.169.254:80,[fd00:ec2::254]:80", {}, "imds"),
    )
}
