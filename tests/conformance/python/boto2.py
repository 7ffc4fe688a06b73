"""What an application did with boto 2, and no more: the calls, with its default credentials, which are IMDS alone.

boto 2 is older than GetCallerIdentity, which is called by its name. S3 requests have its default signature, Version 2.
"""

import os
import platform
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlsplit

import boto
from boto.regioninfo import RegionInfo
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from boto.sts import STSConnection

from protocol import answer

REGION = os.environ["AWS_REGION"]
CONNECTIONS = {}


def sts(endpoint):
    def connect(host, port):
        connection = STSConnection(region=RegionInfo(name=REGION, endpoint=host), port=port, is_secure=False)
        # Otherwise boto reads them out of the host's name.
        connection.auth_region_name, connection.auth_service_name = REGION, "sts"
        return connection

    return kept("sts", endpoint, connect)


def s3(endpoint):
    def connect(host, port):
        return S3Connection(host=host, port=port, is_secure=False, calling_format=OrdinaryCallingFormat())

    return kept("s3", endpoint, connect)


def kept(service, endpoint, connect):
    """One for each service, kept as an application keeps it: its credentials must outlive a refresh."""
    if (service, endpoint) not in CONNECTIONS:
        address = urlsplit(endpoint)
        CONNECTIONS[service, endpoint] = connect(address.hostname, address.port)
    return CONNECTIONS[service, endpoint]


def who(endpoint):
    response = sts(endpoint).make_request("GetCallerIdentity", {}, "/", "POST")
    body = response.read()
    if response.status != 200:
        raise sts(endpoint).ResponseError(response.status, response.reason, body)
    return ElementTree.fromstring(body).findtext(".//{*}Arn")


def list_buckets(endpoint):
    return [bucket.name for bucket in s3(endpoint).get_all_buckets()]


def create_bucket(endpoint, bucket):
    s3(endpoint).create_bucket(bucket, location=REGION)
    return True


def put(endpoint, bucket, key, body):
    s3(endpoint).get_bucket(bucket, validate=False).new_key(key).set_contents_from_string(body)
    return True


def get(endpoint, bucket, key):
    return s3(endpoint).get_bucket(bucket, validate=False).get_key(key).get_contents_as_string().decode()


if __name__ == "__main__":
    answer(
        {"boto": boto.__version__, "python": platform.python_version()},
        {"who": who, "list": list_buckets, "create_bucket": create_bucket, "put": put, "get": get},
    )
