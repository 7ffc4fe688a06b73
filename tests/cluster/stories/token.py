"""A real token, signed by the API server, is exchanged by the real program at two STS that verify it against what the API
server publishes: the emulator, and MinIO, which is somebody else's."""

import json

from cluster.control_plane import ISSUER
from cluster.world import NAMESPACE, REGION, ROLE
from harness.children import Command, must_run
from minio import toolchain as minio

MINIO_PORT = 9000


def story(world):
    cluster = world.cluster
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": NAMESPACE}},
    )
    token = cluster.kubectl("create", "token", "app", "-n", NAMESPACE, "--audience=sts.amazonaws.com", "--duration=10m").stdout
    file = world.directory / "token"
    file.write_text(token.strip())
    credentials = exchange(world, file, ROLE, world.sts["sts"])
    assert credentials["RoleArn"] == ROLE, credentials
    world.say(f"a token of the API server's became credentials of {credentials['RoleArn']}")
    at_minio(world, file)


def exchange(world, token, role, sts):
    environment = {
        "AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_REGION": REGION, "AWS_ENDPOINT_URL_STS": sts,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    child = world.children.start([str(world.binary), "credentials", "--format", "json"], environment, world.directory, "credentials")
    status = child.wait(30)
    assert status == 0, (world.directory / "credentials.stderr").read_text()
    return json.loads((world.directory / "credentials.stdout").read_text())


def at_minio(world, token):
    """It knows the issuer by its own TLS address, and trusts the cluster's authority for it."""
    authorities = world.directory / "minio-certs" / "CAs"
    authorities.mkdir(parents=True)
    (authorities / "cluster.crt").write_bytes(world.cluster.authority.certificate.read_bytes())
    command = Command([*world.minio.argv, "--certs-dir", str(authorities.parent)], world.minio.environment)
    serve = minio.serve(command, ISSUER, world.directory, MINIO_PORT)
    child = world.children.start(serve.argv, serve.environment, world.directory, "minio")

    def answers():
        must_run(child, world.directory / "minio.stderr")
        return minio.ready(MINIO_PORT, token.read_text())

    world.children.wait_until("MinIO to take the API server's token", answers)
    credentials = exchange(world, token, minio.role_arn(), f"http://127.0.0.1:{MINIO_PORT}")
    assert credentials["RoleArn"] == minio.role_arn(), credentials
    world.children.end(child)
    world.say("and at MinIO, which verified it by the API server's keys")
