"""A real projected token, signed by the API server, is exchanged by the real program at an STS that verifies it against
what the API server publishes."""

import json

from cluster.world import NAMESPACE, REGION, ROLE


def story(world):
    cluster = world.cluster
    cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app", "namespace": NAMESPACE}},
    )
    token = cluster.kubectl("create", "token", "app", "-n", NAMESPACE, "--audience=sts.amazonaws.com", "--duration=10m").stdout
    file = world.directory / "token"
    file.write_text(token.strip())
    environment = {
        "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_STS": world.sts["sts"], "AWS_EC2_METADATA_DISABLED": "true",
    }
    child = world.children.start([str(world.binary), "credentials", "--format", "json"], environment, world.directory, "credentials")
    status = child.wait(30)
    assert status == 0, (world.directory / "credentials.stderr").read_text()
    credentials = json.loads((world.directory / "credentials.stdout").read_text())
    assert credentials["RoleArn"] == ROLE, credentials
    world.say(f"a token of the API server's became credentials of {credentials['RoleArn']}")
