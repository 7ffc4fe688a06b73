"""The results as tables: the long form and what cannot be in this directory's README.md, the short form in the root's."""

from harness.endpoints import ENDPOINTS
from harness.markdown import head, line

HEAD = head("client", "year", "endpoint", "a", "b", "c", "d", "e", "sdk", "what it needed")
CANNOT_HEAD = head("client", "endpoint", "why it cannot")
SHORT_HEAD = head("client", "year", *ENDPOINTS)


def long_line(verdict):
    row = verdict.row
    needed = row.described["needed"]
    return line(row.name, row.client.year, row.endpoint, *verdict.marks(), ", ".join(verdict.asked_by()), needed)


def cannot(impossible):
    return [*CANNOT_HEAD, *(line(each.name, each.endpoint, each.why) for each in impossible)]


def short(verdicts):
    """One line for each client: ✔ where every column of the endpoint's row is."""
    marks = {}
    for verdict in verdicts:
        row = verdict.row
        of_client = marks.setdefault((row.name, row.client.year), dict.fromkeys(ENDPOINTS, "—"))
        of_client[row.endpoint] = "✗" if "✗" in verdict.marks() else "✔"
    return [*SHORT_HEAD, *(line(*client, *found.values()) for client, found in marks.items())]
