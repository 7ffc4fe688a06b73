"""The part of the matrix that is no SDK: tools that people run, driven by programs of ours in Python.

The runner asks each language's `toolchain.py` for `clients()`. s3cmd is a package of Python's and is installed as those
are; curl is the machine's.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.children import Command, Unavailable
from harness.toolchain import Client, read
from python import toolchain as python

HERE = Path(__file__).resolve().parent
CURL_FROM = (7, 88)
"""The first that signs S3's requests with headers that it is given."""

PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Tool(Client):
    program: str

    def install(self, directory):
        if self.id == "curl":
            must_have_curl()
            interpreter = sys.executable
        else:
            interpreter = python.install(HERE / "requirements" / f"{self.id}.txt", PYTHONS, directory)
        return Command([str(interpreter), "-u", str(HERE / self.program)], ENVIRONMENT)


def clients():
    return read(Tool, HERE)


def must_have_curl():
    path = shutil.which("curl")
    said = path and subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    version = said and re.match(r"curl (\d+)\.(\d+)", said)
    if not version or (int(version[1]), int(version[2])) < CURL_FROM:
        least = ".".join(map(str, CURL_FROM))
        raise Unavailable(f"the row curl needs curl {least} or later; found {version[0] if version else 'none'}")
