"""The `s3cmd` command as people use it: a process for each call, which finds its credentials by itself each time."""

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from protocol import Refused, answer, run

# By the interpreter, since the script's first line names the place where it was installed, not the one where it is.
S3CMD = [sys.executable, str(Path(sys.executable).parent / "s3cmd")]


def s3cmd(endpoint, *arguments):
    address = urlsplit(endpoint).netloc
    at = ["--no-ssl", "--host", address, "--host-bucket", address, "--region", os.environ["AWS_REGION"]]
    return run([*S3CMD, *at, *arguments]).decode()


def who(endpoint):
    raise Refused("s3cmd has no such call")


def list_buckets(endpoint):
    """Of lines like `2026-01-31 12:00  s3://BUCKET`."""
    return [line.split()[-1].removeprefix("s3://") for line in s3cmd(endpoint, "ls").splitlines()]


def create_bucket(endpoint, bucket):
    s3cmd(endpoint, "mb", "--bucket-location", os.environ["AWS_REGION"], f"s3://{bucket}")
    return True


def put(endpoint, bucket, key, body):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "body"
        file.write_text(body, encoding="utf-8")
        s3cmd(endpoint, "--quiet", "put", str(file), f"s3://{bucket}/{key}")
    return True


def get(endpoint, bucket, key):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "body"
        s3cmd(endpoint, "--quiet", "get", f"s3://{bucket}/{key}", str(file))
        return file.read_text(encoding="utf-8")


if __name__ == "__main__":
    answer(
        {"s3cmd": run([*S3CMD, "--version"]).decode().split()[-1]},
        {"who": who, "list": list_buckets, "create_bucket": create_bucket, "put": put, "get": get},
    )
