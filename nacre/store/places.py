"""Where a URL points: a local path or an S3 object. boto3 is imported only for `s3://`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nacre.errors import NacreError, SetupError


def is_s3(url: str) -> bool:
    return url.startswith("s3://")


def local_path(url: str) -> Path:
    """The path of a local path or a `file://` URL. Raises SetupError for another scheme or host."""
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise SetupError("cannot read from here", expected="a path, file:// or s3://", got=url)
    return Path(unquote(parts.path))


def bucket_and_key(url: str) -> tuple[str, str]:
    """`s3://bucket/key` in its two parts. Raises SetupError when one is missing."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise SetupError("not an S3 object", expected="s3://bucket/key", got=url)
    return bucket, key


def s3_client() -> Any:
    """boto3's client, where the AWS variables point. Raises SetupError without boto3 or a region."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError:
        raise SetupError("the package boto3 is not installed", fix="pip install 'nacre[aws]'") from None
    try:
        return boto3.client("s3")
    except BotoCoreError as error:
        raise SetupError("S3 cannot be reached", got=str(error), fix="Set the AWS_ variables") from error


def download(url: str, to: Path) -> Path:
    """One S3 object into the file `to`; a `/` at the end takes everything below that prefix into the folder `to`.

    Raises SetupError naming the URL.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    client = s3_client()
    bucket, key = bucket_and_key(url)
    try:
        if not url.endswith("/"):
            client.download_file(bucket, key, str(to))
            return to
        return download_prefix(client, bucket, key, to)
    except (BotoCoreError, ClientError, Boto3Error) as error:
        fix = "Check the bucket, the key, the credentials and AWS_ENDPOINT_URL"
        raise SetupError("cannot read from S3", got=str(error), file=url, fix=fix) from error


def download_prefix(client: Any, bucket: str, prefix: str, to: Path) -> Path:
    from nacre.store.artefact import Budget

    budget = Budget(f"s3://{bucket}/{prefix}")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for item in (item for page in pages for item in page.get("Contents", ())):
        name = item["Key"].removeprefix(prefix)
        if not name or name.endswith("/"):
            continue
        target = to / budget.take(name, item["Size"])
        target.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(bucket, item["Key"], str(target))
    if not budget.names:
        raise NacreError("nothing there", expected="objects below this prefix", got="none", file=budget.source)
    return to
