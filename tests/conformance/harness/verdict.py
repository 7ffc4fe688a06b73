"""What became of a row: its two plays' outcomes, put together."""

from dataclasses import dataclass

COLUMNS = ("a", "b", "c", "d", "e")
PLAYS = ("emulator", "minio")


@dataclass(frozen=True)
class Verdict:
    row: object
    outcomes: dict
    """By play."""

    def marks(self):
        return [self._mark(column) for column in COLUMNS]

    def _mark(self, column):
        if column == "e":
            return self._said(["emulator"], column) if self.row.authorization else "—"
        return self._said(PLAYS, column)

    def _said(self, plays, column):
        return "✔" if all(self.outcomes[play].get("passed", {}).get(column) for play in plays) else "✗"

    def asked_by(self):
        return sorted({sdk for outcome in self.outcomes.values() for sdk in outcome.get("asked_by", [])})

    def complaints(self):
        found = [complaint for outcome in self.outcomes.values() for complaint in outcome["complaints"]]
        expected = self.row.expected_sdk
        if expected is not None and self.asked_by() != sorted([expected] if isinstance(expected, str) else expected):
            counted = ", ".join(self.asked_by()) or "nobody"
            found.append(f"{self.row.id}: requests_total counted {counted}; clients.json says {expected}")
        return found

    def report(self):
        return {
            "row": self.row.id,
            "marks": dict(zip(COLUMNS, self.marks())),
            "sdk": self.asked_by(),
            "user_agents": sorted({a for outcome in self.outcomes.values() for a in outcome.get("user_agents", [])}),
            "seconds": {play: round(outcome.get("seconds", 0), 1) for play, outcome in self.outcomes.items()},
            "versions": self.outcomes["emulator"].get("versions", {}),
            "errors": {play: outcome.get("errors", {}) for play, outcome in self.outcomes.items()},
            "complaints": self.complaints(),
        }
