"""MinIO: an STS and an S3, by somebody else, that verify what they are sent.

MinIO trusts the issuer of the emulator's tokens as it would trust a cluster's: it fetches the discovery document and
the keys (when it starts, and again until that succeeds), and the keys once more for a token that none of them signed.
It checks the signature, `exp`, `nbf` and that `aud` holds the audience; `iss` it leaves to the signature. What it gives
out it enforces on S3: access key, secret and session token.

    command = serve(server(cache), issuer, directory, port)
    children.start(command.argv, command.environment, directory, "minio")
    children.wait_until("MinIO to know the issuer", lambda: ready(port, token))
    role_arn()                                                     # the sidecar's AWS_ROLE_ARN

A session lasts what DurationSeconds asks for, 900 s to a year. The answer's AssumedRoleUser is empty, and there is no
GetCallerIdentity. MinIO is built from its Go module for these tests alone; nothing of it is shipped.
"""

import base64
import hashlib
import secrets
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from go.build import build
from harness.children import Command

SOURCES = Path(__file__).resolve().parent / "server"
AUDIENCE = "sts.amazonaws.com"
POLICY = "readwrite"
"""One of MinIO's own: everything on S3, nothing on the server."""

# Loopback must be reached directly, whatever proxy the machine has.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def clients():
    """None: it is a server."""
    return []


def server(directory):
    """The command of the server, without arguments."""
    files = [SOURCES / name for name in ("go.mod", "go.sum", "main.go")]
    return Command([str(build("minio", files, directory, ", which takes some minutes"))], {})


def serve(command, issuer, directory, port, audience=AUDIENCE):
    """The command that listens on this port of 127.0.0.1 and keeps its buckets below the directory."""
    argv = [*command.argv, "server", "--quiet", "--address", f"127.0.0.1:{port}", str(Path(directory) / "minio")]
    return Command(argv, {**command.environment, **environment(issuer, audience)})


def environment(issuer, audience=AUDIENCE):
    return {
        "MINIO_IDENTITY_OPENID_CONFIG_URL": f"{issuer}/.well-known/openid-configuration",
        "MINIO_IDENTITY_OPENID_CLIENT_ID": audience,
        # Without one, MinIO takes tokens that are signed with an empty HMAC key under the `kid` of the client's ID.
        "MINIO_IDENTITY_OPENID_CLIENT_SECRET": secrets.token_urlsafe(32),
        "MINIO_IDENTITY_OPENID_ROLE_POLICY": POLICY,
        "MINIO_ROOT_USER": "root",
        "MINIO_ROOT_PASSWORD": secrets.token_urlsafe(32),
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CALLHOME_ENABLE": "off",
    }


def ready(port, token, audience=AUDIENCE):
    """Whether it exchanges this token; its own /minio/health/ready says yes before it knows the issuer and the role."""
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role_arn(audience),
        "RoleSessionName": "ready",
        "DurationSeconds": "900",
        "WebIdentityToken": token,
    }
    try:
        with OPENER.open(f"http://127.0.0.1:{port}/", urllib.parse.urlencode(asked).encode(), timeout=10) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def role_arn(audience=AUDIENCE):
    """The role that MinIO derives from the client's ID; without MINIO_SITE_REGION its ARN has no region."""
    digest = base64.urlsafe_b64encode(hashlib.sha1(audience.encode()).digest()).decode().rstrip("=")
    return f"arn:minio:iam:::role/{digest}"
