"""curl, as an operator uses it: fetch the credentials, then sign with them. A curl for each step of each call.

What is secret goes to curl as a configuration on its stdin, not into its arguments, which everyone may read.
"""

import hashlib
import json
import os
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from protocol import answer, run

IMDS = "http://169.254.169.254/latest"
ECS = "http://169.254.170.2"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
REGION = os.environ["AWS_REGION"]


def curl(url, *arguments, **secret):
    """What came back; an error of HTTP is one, and comes with the body that tells why."""
    lines = [f'{option.replace("_", "-")} = "{value}"' for option, value in secret.items()]
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--config", "-"]
    return run([*command, *arguments, url], "\n".join(lines).encode()).decode()


def credentials():
    relative, full = (os.environ.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI") for kind in ("RELATIVE", "FULL"))
    if relative or full:
        token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        return json.loads(curl(full or ECS + relative, **({"header": f"Authorization: {token}"} if token else {})))
    ttl = ("--request", "PUT", "--header", "X-aws-ec2-metadata-token-ttl-seconds: 60")
    session = {"header": f"X-aws-ec2-metadata-token: {curl(f'{IMDS}/api/token', *ttl)}"}
    place = f"{IMDS}/meta-data/iam/security-credentials/"
    return json.loads(curl(place + curl(place, **session), **session))


def signed(service, url, *arguments):
    found = credentials()
    return curl(
        url,
        *("--aws-sigv4", f"aws:amz:{REGION}:{service}", *arguments),
        user=f"{found['AccessKeyId']}:{found['SecretAccessKey']}",
        header=f"X-Amz-Security-Token: {found['Token']}",
    )


def s3(url):
    return signed("s3", url, *content(b""))


def upload(url, body):
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        signed("s3", url, *content(body), "--upload-file", file.name)


def content(body):
    """The header that S3 wants, and that curl signs but does not make."""
    return "--header", f"X-Amz-Content-Sha256: {hashlib.sha256(body).hexdigest()}"


def who(endpoint):
    said = signed("sts", f"{endpoint}/", "--data", "Action=GetCallerIdentity&Version=2011-06-15")
    return ElementTree.fromstring(said).findtext(".//{*}Arn")


def list_buckets(endpoint):
    listed = ElementTree.fromstring(s3(f"{endpoint}/"))
    return [name.text for name in listed.iterfind(".//{*}Bucket/{*}Name")]


def create_bucket(endpoint, bucket):
    place = f"<LocationConstraint>{REGION}</LocationConstraint>"
    body = f'<CreateBucketConfiguration xmlns="{NAMESPACE}">{place}</CreateBucketConfiguration>'
    upload(f"{endpoint}/{bucket}", body.encode())
    return True


def put(endpoint, bucket, key, body):
    upload(f"{endpoint}/{bucket}/{quote(key)}", body.encode())
    return True


def get(endpoint, bucket, key):
    return s3(f"{endpoint}/{bucket}/{quote(key)}")


if __name__ == "__main__":
    answer(
        {"curl": run(["curl", "--version"]).decode().split()[1]},
        {"who": who, "list": list_buckets, "create_bucket": create_bucket, "put": put, "get": get},
    )
