"""The `aws` command as people use it: a process for each call, which finds its credentials by itself each time."""

import json
import os
import sys
import tempfile
from pathlib import Path

from protocol import answer, run

# By the interpreter, since the script's first line names the place where it was installed, not the one where it is.
AWS = [sys.executable, str(Path(sys.executable).parent / "aws")]


def aws(service, operation, endpoint, *arguments):
    said = run([*AWS, service, operation, "--endpoint-url", endpoint, "--output", "json", *arguments])
    return json.loads(said) if said.strip() else None


def who(endpoint):
    return aws("sts", "get-caller-identity", endpoint)["Arn"]


def list_buckets(endpoint):
    return [bucket["Name"] for bucket in aws("s3api", "list-buckets", endpoint)["Buckets"]]


def create_bucket(endpoint, bucket):
    where = f"LocationConstraint={os.environ['AWS_REGION']}"
    aws("s3api", "create-bucket", endpoint, "--bucket", bucket, "--create-bucket-configuration", where)
    return True


def put(endpoint, bucket, key, body):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "body"
        file.write_text(body, encoding="utf-8")
        aws("s3api", "put-object", endpoint, "--bucket", bucket, "--key", key, "--body", str(file))
    return True


def get(endpoint, bucket, key):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "body"
        aws("s3api", "get-object", endpoint, "--bucket", bucket, "--key", key, str(file))
        return file.read_text(encoding="utf-8")


def versions():
    """`aws-cli/1.16.209 Python/3.11.7 Linux/6.1 botocore/1.12.199`, as a table."""
    return dict(part.split("/", 1) for part in run([*AWS, "--version"]).decode().split())


if __name__ == "__main__":
    answer(
        versions(),
        {"who": who, "list": list_buckets, "create_bucket": create_bucket, "put": put, "get": get},
    )
