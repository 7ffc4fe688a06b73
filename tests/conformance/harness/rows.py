"""The rows: each language's clients at each of their endpoints, from `LANGUAGE/clients.json` and its toolchain."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path

from harness.endpoints import ENDPOINTS

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    language: str
    client: object
    """The toolchain's: it knows how to install it."""
    described: dict
    """As clients.json has it."""
    endpoint: str

    @property
    def id(self):
        return f"{self.client.id}:{self.endpoint}"

    @property
    def name(self):
        return self.described["client"]

    @property
    def session(self):
        return self.described["endpoints"][self.endpoint]["session"]

    @property
    def authorization(self):
        return self.endpoint == "container" and self.described.get("authorization", True)

    @property
    def coexists(self):
        """Whether it is asked whose credentials it uses in a pod that has web identity's variables too."""
        return self.endpoint == "container" and self.described.get("coexistence", False)

    @property
    def races(self):
        return self.described.get("race", False)

    @property
    def shares(self):
        """Whether it is asked for several roles of one sidecar."""
        return self.endpoint == "container" and self.described.get("roles", False)

    @property
    def is_wrapped(self):
        """Whether it is tried as the command of `exec`; clients.json has what that takes in its environment."""
        return self.endpoint == "container" and "exec" in self.described

    @property
    def starts_processes(self):
        """Whether the README's `credential_process` is tried with it."""
        return self.endpoint == "container" and self.described.get("process", False)

    @property
    def expected_sdk(self):
        """The label that must have been counted, where clients.json says it."""
        return self.described.get("sdk", {}).get(self.endpoint)


@dataclass(frozen=True)
class Impossible:
    name: str
    endpoint: str
    why: str


def rows():
    return [
        Row(language, client, described, endpoint)
        for language, client, described in _clients()
        for endpoint in ENDPOINTS
        if endpoint in described["endpoints"]
    ]


def impossible():
    """What people would expect and a client cannot do."""
    return [
        Impossible(described["client"], endpoint, why)
        for _, _, described in _clients()
        for endpoint, why in described.get("not", {}).items()
    ]


def _clients():
    for path in sorted(HERE.glob("*/clients.json")):
        language = path.parent.name
        described = {c["id"]: c for c in json.loads(path.read_text(encoding="utf-8"))}
        for client in importlib.import_module(f"{language}.toolchain").clients():
            yield language, client, described[client.id]
