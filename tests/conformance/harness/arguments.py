"""The command line."""

import argparse
import os
from pathlib import Path

from harness.rows import HERE

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target"))
JOBS = 8


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(64, f"{self.format_usage()}{self.prog}: {message}\n")


def parse(rows, description):
    """The arguments, with the rows that they ask for as `wanted`."""
    parser = Parser(
        prog="tests/conformance/run", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    languages = sorted({row.language for row in rows})
    parser.add_argument("rows", nargs="*", metavar="ROW", help="CLIENT or CLIENT:ENDPOINT; all without any")
    parser.add_argument("--language", choices=languages, help="the rows of one language")
    parser.add_argument("--list", action="store_true", help="name the rows, and end")
    parser.add_argument("--install", action="store_true", help="install the clients, and end")
    parser.add_argument("--coexistence", action="store_true", help="only: whose credentials does a modern SDK use")
    parser.add_argument("--roles", action="store_true", help="only: several roles in one pod")
    parser.add_argument("--process", action="store_true", help="only: the program as credential_process of an AWS CLI")
    parser.add_argument("--exec", action="store_true", help="only: as the command of irsa-sidecar exec")
    parser.add_argument("--race", action="store_true", help="only: client and sidecar start at the same moment")
    parser.add_argument("--binary", type=Path, metavar="PATH", help="default: irsa-sidecar in target/release, else debug")
    parser.add_argument("--emulator", type=Path, metavar="PATH", help="default: sts-emulator, likewise")
    parser.add_argument("--write", action="store_true", help="write the tables into the README.md files; needs all rows")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write all that was found as JSON")
    parser.add_argument("--jobs", type=int, default=JOBS, metavar="N", help=f"plays at a time (default: {JOBS})")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep each play's logs there")
    arguments = parser.parse_args()
    known = {row.id for row in rows} | {row.client.id for row in rows}
    unknown = set(arguments.rows) - known
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; --list names them")
    if arguments.jobs < 1:
        parser.error(f"--jobs {arguments.jobs}: at least 1")
    if arguments.coexistence + arguments.exec + arguments.process + arguments.race + arguments.roles > 1:
        parser.error("one of --coexistence, --exec, --process, --race and --roles")
    arguments.named = bool(arguments.rows or arguments.language)
    if arguments.write and arguments.named:
        parser.error("--write needs all rows: leave ROW and --language out")
    arguments.wanted = [row for row in rows if _is_wanted(row, arguments)]
    arguments.binary = arguments.binary or _default("irsa-sidecar")
    arguments.emulator = arguments.emulator or _default("sts-emulator")
    return arguments


def _is_wanted(row, arguments):
    if arguments.language and row.language != arguments.language:
        return False
    return not arguments.rows or row.id in arguments.rows or row.client.id in arguments.rows


def _default(name):
    released = TARGET / "release" / name
    return released if released.exists() else TARGET / "debug" / name
