"""The servers around a client: the STS emulator, MinIO, and moto."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from harness.children import must_run
from harness.endpoints import REGION
from harness.http import request
from harness.ports import free_port
from minio import toolchain as minio


CHAIN = ["arn:aws:iam::444455556666:role/partner-ingest", "arn:aws:iam::777788889999:role/partner-archive"]
"""Roles that trust the one before them, the first the emulator's own."""


class Emulator:
    """tests/support's token issuer, token volume and STS: verifies tokens and signatures, and obeys levers."""

    def __init__(self, children, binary, directory):
        # Its ports are its own choice; its first line tells them.
        argv = [str(binary), *(f"--chain={arn}" for arn in CHAIN)]
        self._child = children.start(argv, {"TMPDIR": str(directory)}, directory, "emulator")
        announced = Path(directory) / "emulator.stdout"
        line = children.wait_until("the STS emulator to be ready", lambda: _whole_line(announced, self._child))
        described = json.loads(line)
        self._control = described["control"]
        self.issuer = described["issuer"]
        self.port = urlsplit(described["sts"]).port
        self.role_arn = described["env"]["AWS_ROLE_ARN"]
        self.token_file = Path(described["env"]["AWS_WEB_IDENTITY_TOKEN_FILE"])
        self.tokens = {self.token_file.read_text()}

    def session_seconds(self, seconds):
        """0 gives what is asked for."""
        request(f"{self._control}/session?seconds={seconds}", b"")

    def rotate_token(self):
        """Puts a fresh token in place as the kubelet does, and gives it."""
        request(f"{self._control}/token/rotate", b"")
        token = self.token_file.read_text()
        self.tokens.add(token)
        return token

    def verified(self):
        """How many signatures on GetCallerIdentity were found good."""
        calls = json.loads(request(f"{self._control}/calls"))
        return sum(c["action"] == "GetCallerIdentity" and c["outcome"] == "ok" and c["signed"] for c in calls)

    def knows(self, arn):
        """Whether that is a session of the role."""
        return arn.startswith(self.role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/")


class Minio:
    """Somebody else's STS and S3: checks the token against the issuer, and enforces what it gave out."""

    def __init__(self, children, command, directory, scratch, emulator):
        self.port = free_port()
        self.role_arn = minio.role_arn()
        serve = minio.serve(command, emulator.issuer, scratch, self.port)
        child = children.start(serve.argv, serve.environment, directory, "minio")

        def answers():
            must_run(child, Path(directory) / "minio.stderr")
            return minio.ready(self.port, emulator.token_file.read_text())

        children.wait_until("MinIO to know the issuer", answers)


class Moto:
    """S3 for clients that can do nothing but S3; it verifies nothing, the relay in front of it tells who signed."""

    def __init__(self, children, command, directory):
        self.port = free_port()
        argv = [*command.argv, "-H", "127.0.0.1", "-p", str(self.port)]
        environment = {**command.environment, "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION}
        child = children.start(argv, environment, directory, "moto")

        def answers():
            must_run(child, Path(directory) / "moto.stderr")
            return request(f"http://127.0.0.1:{self.port}/moto-api/data.json")

        children.wait_until("moto's server to be ready", answers)


def _whole_line(path, child):
    must_run(child, path.with_suffix(".stderr"))
    first, newline, _ = path.read_text().partition("\n")
    return newline and first
