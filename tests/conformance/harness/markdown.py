"""Parts of Markdown files that a run writes and holds against what it found: between two comments."""

from pathlib import Path

CONFORMANCE = Path(__file__).resolve().parent.parent / "README.md"
ROOT = CONFORMANCE.parent.parent.parent / "README.md"
PROCESS = ROOT.parent / "docs" / "credential-process.md"


class Part:
    def __init__(self, path, begin, end):
        self._path, self._begin, self._end = path, begin, end

    def lines(self):
        return self._split()[1].strip().splitlines()

    def write(self, lines):
        before, _, after = self._split()
        text = "\n".join([self._begin, *lines, self._end])
        self._path.write_text(f"{before}{text}{after}", encoding="utf-8")

    def _split(self):
        before, begin, rest = self._path.read_text(encoding="utf-8").partition(self._begin)
        part, end, after = rest.partition(self._end)
        if not begin or not end:
            raise SystemExit(f"{self._path} must have a line {self._begin} and after it a line {self._end}")
        return before, part, after


def part(name):
    return Part(CONFORMANCE, f"<!-- {name}: begin -->", f"<!-- {name}: end -->")


SHORT_FORM = Part(ROOT, "<!-- conformance -->", "<!-- /conformance -->")
CREDENTIAL_PROCESS = Part(PROCESS, "<!-- credential-process -->", "<!-- /credential-process -->")
"""It is read, and run, and never written."""


def line(*cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def head(*cells):
    return [line(*cells), "|" + "---|" * len(cells)]
