"""What an application does with boto3, and no more: the calls, with the SDK's default credential chain.

The first line on stdout says who this is. Then each line on stdin is a request and has one line for an answer:

    {"do": "who",           "endpoint": URL}                                            -> {"ok": ARN}
    {"do": "list",          "endpoint": URL}                                            -> {"ok": [BUCKET, ...]}
    {"do": "create_bucket", "endpoint": URL, "bucket": NAME}                            -> {"ok": true}
    {"do": "put",           "endpoint": URL, "bucket": NAME, "key": KEY, "body": TEXT}  -> {"ok": true}
    {"do": "get",           "endpoint": URL, "bucket": NAME, "key": KEY}                -> {"ok": TEXT}

What an SDK raises comes back as {"error": TEXT}. The process ends with its stdin.
"""

import platform

import boto3
import botocore
from botocore.client import Config

from protocol import answer

SESSION = boto3.session.Session()
CLIENTS = {}


def client(service, endpoint):
    """One for each service, kept as an application keeps it: its credentials must outlive a refresh."""
    if (service, endpoint) not in CLIENTS:
        config = Config(s3={"addressing_style": "path"})
        CLIENTS[service, endpoint] = SESSION.client(service, endpoint_url=endpoint, config=config)
    return CLIENTS[service, endpoint]


def who(endpoint):
    return client("sts", endpoint).get_caller_identity()["Arn"]


def list_buckets(endpoint):
    return [bucket["Name"] for bucket in client("s3", endpoint).list_buckets()["Buckets"]]


def create_bucket(endpoint, bucket):
    where = {"LocationConstraint": SESSION.region_name}
    client("s3", endpoint).create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    return True


def put(endpoint, bucket, key, body):
    client("s3", endpoint).put_object(Bucket=bucket, Key=key, Body=body.encode())
    return True


def get(endpoint, bucket, key):
    return client("s3", endpoint).get_object(Bucket=bucket, Key=key)["Body"].read().decode()


if __name__ == "__main__":
    answer(
        {"boto3": boto3.__version__, "botocore": botocore.__version__, "python": platform.python_version()},
        {"who": who, "list": list_buckets, "create_bucket": create_bucket, "put": put, "get": get},
    )
