"""The pods of tests/data/admission, read by kubectl itself, and held against what the API server makes of them."""

import json
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "data" / "admission"


class Case:
    def __init__(self, path, cluster):
        self.name = path.stem
        head, *rest = path.read_text(encoding="utf-8").split("\n---\n")
        # Any YAML becomes JSON where kubectl reads it as an object.
        wrapped = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ncase: x\nhead:\n" + _indented(head.removeprefix("---\n"))
        self.head = _read(cluster, wrapped)["head"]
        self.accounts, self.pod = rest[:-1], rest[-1]
        self.warnings = [warning.strip() for warning in self.head.get("warnings", [])]

    @property
    def plain(self):
        """Whether it needs no other settings than the cluster's webhook has."""
        return self.head.get("settings") == {"region": "eu-west-1"}


def cases(cluster):
    return [Case(path, cluster) for path in sorted(DIRECTORY.glob("*.yaml"))]


def missing(expected, actual, at=""):
    """What of `expected` is not in `actual`: objects by key, lists whose items have names by name and in this order."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [found for key, value in expected.items() for found in missing(value, actual.get(key), f"{at}/{key}")]
    if isinstance(expected, list) and isinstance(actual, list) and all(isinstance(e, dict) and "name" in e for e in expected):
        names, found, last = [item.get("name") for item in actual], [], -1
        for item in expected:
            if item["name"] not in names:
                found.append(f"{at}: no {item['name']}")
                continue
            index = names.index(item["name"])
            if index < last:
                found.append(f"{at}: {item['name']} comes too early")
            last = index
            found += missing(item, actual[index], f"{at}/{item['name']}")
        return found
    # The API server writes quantities in its own form, and shows nothing where null is asked for.
    return [] if expected == actual or str(expected) == str(actual) else [f"{at}: {json.dumps(actual)} and not {json.dumps(expected)}"]


def _indented(text):
    return "".join(f"  {line}\n" for line in text.splitlines())


def _read(cluster, text):
    done = cluster.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", stdin=text)
    return json.loads(done.stdout)
