"""Several roles in one pod, asked for by a real SDK that knows none of this.

| column | what must be true |
|---|---|
| two containers | two clients, each with its own role's URL and token, are two sessions; with the other's token the SDK raises and signs nothing |
| chain | at the emulator, which verifies signatures and trust policies, and at moto: a client of the chained role is a session of its last step, and each link was signed with what the one before gave |
| session policy | at MinIO, which enforces it: a role with a policy that only reads gets what another role puts, and may not put |
"""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.application import Raised
from harness.children import Command, Failed
from harness.relay import Relay
from harness.servers import CHAIN, Minio, Moto
from harness.stage import Stage
from harness.story import must, stores

BUCKET = "conformance"
READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::*"]}],
}


@dataclass
class Outcome:
    passed: dict = field(default_factory=dict)
    complaints: list = field(default_factory=list)
    errors: dict = field(default_factory=dict)
    """What the client said where it could not have, or use, credentials."""

    def as_dict(self):
        return asdict(self)


class Sharing:
    def __init__(self, children, spec):
        self._children, self._spec = children, spec
        self._outcome = Outcome()

    def run(self):
        self._stage = Stage.set(self._children, self._spec)
        columns = {"containers": self._containers, "chain": self._chain, "policy": self._policy, "secrets": self._secrets}
        for name, play in columns.items():
            try:
                play()
                self._outcome.passed[name] = True
            except (Failed, OSError) as failure:
                self._outcome.passed[name] = False
                self._outcome.complaints.append(f"{self._spec['row']}, roles, {name}: {failure}")
        return self._outcome

    # ---- Two containers, two roles ----

    def _containers(self):
        emulator = self._stage.emulator
        tokens = {name: secrets.token_urlsafe(32) for name in ("reports", "ingest")}
        self._stage.hidden |= set(tokens.values())
        roles = []
        for name, token in tokens.items():
            # Not beside what is searched for secrets.
            path = Path(self._spec["scratch"]) / f"{name}-token"
            path.write_text(token)
            roles.append(
                {
                    "name": name,
                    "role_arn": emulator.role_arn,
                    "session_name": name,
                    "authorization_token_file": str(path),
                }
            )
        sidecar = self._sidecar("sidecar-containers", emulator.port, emulator.role_arn, roles)
        witness = Relay(emulator.port)
        for name, token in tokens.items():
            client = self._client(f"client-{name}", sidecar, name, token)
            arn = client.call("who", endpoint=witness.url)
            must(arn.endswith(f"/{name}"), f"the client of {name} is {arn}")
            client.end()
        signed = len(witness.signed_with())
        strangers = self._client("client-with-the-others-token", sidecar, "reports", tokens["ingest"])
        try:
            strangers.call("who", endpoint=witness.url)
        except Raised as refusal:
            self._outcome.errors["with the other's token"] = str(refusal)
        else:
            raise Failed("with the other container's token it got credentials all the same")
        must(len(witness.signed_with()) == signed, "with the other container's token it signed a request")

    # ---- A chain ----

    def _chain(self):
        self._chain_at("emulator", self._stage.emulator.port)
        moto = Moto(self._children, Command(**self._spec["moto"]), self._stage.directory)
        self._chain_at("moto", moto.port)

    def _chain_at(self, name, port):
        chain = {"from": "default", "steps": [{"role_arn": arn, "tags": {"team": "data"}} for arn in CHAIN]}
        roles = [{"name": "default"}, {"name": "partner", "chain": chain}]
        sidecar = self._sidecar(f"sidecar-chain-{name}", port, self._stage.emulator.role_arn, roles)
        witness = Relay(port)
        arn = self._client(f"client-chain-{name}", sidecar, "partner").call("who", endpoint=witness.url)
        wanted = CHAIN[-1].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        must(arn.startswith(f"{wanted}/"), f"at {name} the client of the chain is {arn}")
        issued = sidecar.sts.issued()
        must(len(issued) == 1 + len(CHAIN), f"{name} gave out {len(issued)} sessions, not one for each link")
        # The first exchange is of the token and signed by nobody; each other by what the one before gave.
        must(sidecar.sts.signed_with() == issued[:-1], "the links were not signed with what the ones before gave")
        must(witness.signed_with() == issued[-1:], "the client did not use the last link's credentials")

    # ---- A session policy, at MinIO ----

    def _policy(self):
        command, emulator = Command(**self._spec["minio"]), self._stage.emulator
        minio = Minio(self._children, command, self._stage.directory, self._spec["scratch"], emulator)
        roles = [{"name": "default"}, {"name": "reports", "policy": json.dumps(READ_ONLY)}]
        sidecar = self._sidecar("sidecar-policy", minio.port, minio.role_arn, roles)
        url = Relay(minio.port).url
        writer = self._client("client-writer", sidecar, "default")
        writer.call("create_bucket", endpoint=url, bucket=BUCKET)
        stores(writer, url, BUCKET, "policy")
        where = {"endpoint": url, "bucket": BUCKET, "key": "policy"}
        reader = self._client("client-reader", sidecar, "reports")
        must(reader.call("get", **where) == writer.call("get", **where), "the reader got something else")
        try:
            reader.call("put", body="x", **where)
        except Raised as refusal:
            self._outcome.errors["beyond the session policy"] = str(refusal)
            must("AccessDenied" in str(refusal), f"it was refused for another reason: {refusal}")
        else:
            raise Failed("a session whose policy only reads could write")

    def _secrets(self):
        self._stage.search_for_secrets()

    # ---- What all have in common ----

    def _sidecar(self, name, sts_port, role_arn, roles):
        """Its roles file is JSON, which is YAML too."""
        path = self._stage.directory / f"{name}.yaml"
        path.write_text(json.dumps({"roles": roles}))
        return self._stage.sidecar(name, sts_port, role_arn, settings={"IRSA_SIDECAR_ROLES_FILE": str(path)}, alone=False)

    def _client(self, name, sidecar, role, token=None):
        told = {**self._stage.endpoint.told, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{sidecar.full_uri}/{role}"}
        if token:
            told["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        return self._stage.application(name, told)
