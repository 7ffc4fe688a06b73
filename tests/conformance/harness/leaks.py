"""Looks for secrets in what was written: any run of characters of them, as it is or as URLs and JSON would have it."""

import json
from pathlib import Path
from urllib.parse import quote

RUN = 12
"""Shorter ones may stand in a text by chance."""


def search(hidden, directory):
    """The names of the files in which something of the hidden texts is found."""
    wanted = {run for secret in hidden for form in _forms(secret) for run in _runs(form)}
    return [path.name for path in sorted(Path(directory).iterdir()) if path.is_file() and _holds(path, wanted)]


def _forms(secret):
    # A JWT's first part says how it is signed, and is the same in all of them.
    private = secret.partition(".")[2] or secret
    yield private
    yield quote(private, safe="")
    yield json.dumps(private)[1:-1].replace("/", "\\/")


def _holds(path, wanted):
    return not wanted.isdisjoint(_runs(path.read_text(encoding="utf-8", errors="replace")))


def _runs(text):
    return (text[start : start + RUN] for start in range(len(text) - RUN + 1))
