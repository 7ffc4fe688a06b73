"""The result as a table, and its place in README.md."""

from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD = [
    "| client | year | endpoint | a start | b rotation, refresh | c STS down | d authorization | what it needed |",
    "|---|---|---|---|---|---|---|---|",
]


def line(client, outcome):
    marks = ["✔" if passed else "✗" for passed in outcome.passed.values()]
    return "| " + " | ".join([client.name, str(client.year), "container", *marks, client.needed]) + " |"


def committed():
    """The lines that README.md has, head included."""
    return _parts()[1].strip().splitlines()


def write(lines):
    before, _, after = _parts()
    README.write_text(f"{before}{BEGIN}\n" + "\n".join([*HEAD, *lines]) + f"\n{END}{after}", encoding="utf-8")


def _parts():
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{README} must have a line {BEGIN} and after it a line {END}")
    return before, table, after
