"""The scenarios beside the matrix: who wins in a pod with web identity, who is ready first, several roles in one
pod, the program as `credential_process`, and around a command."""

from harness import wrapping
from harness.markdown import head, line
from harness.process import COLUMNS

PRECEDENCE_HEAD = head("client", "web identity's variables and FULL_URI", "FULL_URI alone")
ROLES_HEAD = head("client", "two containers", "chain", "session policy")
PROCESS_HEAD = head(
    "client",
    "a named profile",
    "`[default]`, variables in the line",
    "`[default]`, variables in the environment",
    "STS down",
    "no token",
)
EXEC_HEAD = head("client", "start, beside other keys", "rotation, refresh", "STS down", "end")
RACE_HEAD = head("client", "endpoint", "client up", "sidecar holds credentials", "first answer", "calls that failed before")


def precedence_line(row, found):
    uses = found.get("uses", {})
    return line(row.name, uses.get("both", "✗"), uses.get("full_uri", "✗"))


def process_line(row, found):
    uses = found.get("uses", {})
    return line(row.name, *(uses.get(column, "✗") for column in COLUMNS))


def exec_line(row, found):
    return line(row.name, *("✔" if found.get("passed", {}).get(column) else "✗" for column in wrapping.COLUMNS))


def race_line(row, found):
    def seconds(name):
        return f"{found.get(name, 0):.2f} s"

    return line(row.name, row.endpoint, seconds("up"), seconds("held"), seconds("signed"), found.get("raised", "✗"))


def roles_line(row, found):
    marks = ["✔" if found["passed"].get(name) else "✗" for name in ("containers", "chain", "policy")]
    return line(row.name, *marks)
