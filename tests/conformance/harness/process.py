"""The program as `credential_process`: the example of docs/credential-process.md, run by a real AWS CLI.

| column | what must be true |
|---|---|
| a named profile | with web identity's variables in its environment the CLI is a session that irsa-sidecar has opened |
| variables in the line | likewise, with `[default]` and without those variables in the CLI's environment |
| variables in the environment | whose session it is with `[default]` and with them: a CLI that knows web identity takes them before the profile; with `AWS_PROFILE` it is the same |
| STS down, no token | it fails, says what irsa-sidecar says, and shows no traceback |

Nothing is served here. Of the example only what it must find is replaced: the program's path, the token's, the endpoint.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.children import PATIENCE, Failed
from harness.endpoints import REGION
from harness.markdown import CREDENTIAL_PROCESS
from harness.relay import Relay
from harness.stage import Stage
from harness.story import must

PROGRAM = "/usr/local/bin/irsa-sidecar"
TOKEN_FILE = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
# By which a session of ours is known: it is named after its pod.
POD = {"POD_NAMESPACE": "shop", "POD_NAME": "app-0"}
OURS = "/shop-app-0"
COLUMNS = ["named", "line", "environment", "down", "missing"]


@dataclass
class Outcome:
    uses: dict = field(default_factory=dict)
    """By column: `irsa-sidecar`, `itself`, or ✔ for a failure that is told well."""
    complaints: list = field(default_factory=list)
    errors: dict = field(default_factory=dict)
    """What the CLI said where there were no credentials."""

    def as_dict(self):
        return asdict(self)


class Processing:
    def __init__(self, children, spec):
        self._children, self._spec = children, spec
        self._outcome = Outcome()

    def run(self):
        try:
            self._set_up()
            for column in COLUMNS:
                self._outcome.uses[column] = getattr(self, f"_{column}")()
            self._stage.hidden |= self._sts.secrets()
            self._stage.search_for_secrets()
        except (Failed, OSError) as failure:
            self._outcome.complaints.append(f"{self._spec['row']}, credential_process: {failure}")
        return self._outcome

    def _set_up(self):
        self._stage = Stage.set(self._children, self._spec)
        emulator = self._stage.emulator
        self._sts, self._witness = Relay(emulator.port), Relay(emulator.port)
        self._web_identity = {
            "AWS_ROLE_ARN": emulator.role_arn,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(emulator.token_file),
        }
        example = "\n".join(line for line in CREDENTIAL_PROCESS.lines() if not line.startswith("```"))
        for written, here in ((PROGRAM, self._stage.binary), (TOKEN_FILE, emulator.token_file)):
            must(written in example, f"docs/credential-process.md's example does not say {written}")
            example = example.replace(written, str(here))
        must(emulator.role_arn in example, f"docs/credential-process.md's example is not of {emulator.role_arn}")
        config = self._stage.directory / "home" / ".aws" / "config"
        config.parent.mkdir(parents=True)
        config.write_text(example + "\n")

    # ---- The columns ----

    def _named(self):
        return self._who("named", ["--profile", "irsa"], self._web_identity)

    def _line(self):
        return self._who("line")

    def _environment(self):
        uses = self._who("environment", environment=self._web_identity)
        chosen = self._who("chosen", environment={**self._web_identity, "AWS_PROFILE": "irsa"})
        must(chosen == uses, f"with AWS_PROFILE it is {chosen}, with [default] {uses}")
        return uses

    def _down(self):
        self._sts.close()
        try:
            return self._fails("down", ["exchange failed", "ConnectionFailed", "VPC endpoint"])
        finally:
            self._sts.open()

    def _missing(self):
        token_file = self._stage.directory / "nowhere" / "token"
        environment = {**self._web_identity, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file)}
        words = ["no token in AWS_WEB_IDENTITY_TOKEN_FILE", "TokenMissing", "volume is mounted there"]
        return self._fails("missing", words, ["--profile", "irsa"], environment)

    # ---- What all have in common ----

    def _who(self, name, arguments=(), environment=None):
        status, said, errors = self._aws(name, arguments, environment)
        must(status == 0, f"{name}: it ended with {status}: {errors}")
        arn = said.strip()
        must(self._stage.emulator.knows(arn), f"{name}: it is {arn}")
        return "irsa-sidecar" if arn.endswith(OURS) else "itself"

    def _fails(self, name, words, arguments=(), environment=None):
        status, said, errors = self._aws(name, arguments, environment)
        self._outcome.errors[name] = errors
        must(status != 0, f"{name}: it is {said.strip()} all the same")
        missing = [word for word in words if word not in errors]
        must(not missing, f"{name}: it does not say {missing}: {errors}")
        must("Traceback" not in errors, f"{name}: {errors}")
        return "✔"

    def _aws(self, name, arguments, environment):
        """`aws sts get-caller-identity`: its status, its output and what it told."""
        command, directory = self._stage.command, self._stage.directory
        python = command.argv[0]
        where = ["--endpoint-url", self._witness.url, "--output", "text", "--query", "Arn"]
        child = self._children.start(
            [python, str(Path(python).parent / "aws"), "sts", "get-caller-identity", *where, *arguments],
            {
                **command.environment,
                **POD,
                **(environment or {}),
                "AWS_ENDPOINT_URL_STS": self._sts.url,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            directory,
            f"aws-{name}",
        )
        status = child.wait(PATIENCE)
        return status, *((directory / f"aws-{name}.{stream}").read_text() for stream in ("stdout", "stderr"))
