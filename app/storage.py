"""Object storage: put, get, list and delete, and the way between a key and its public URL.

The bucket is public to read, object by object, and nothing else; the README shows the policy. boto3 is imported on the
first use, since it costs 0.3 s and 40 MB that a request for a note has no use for.
"""

import logging
import secrets
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from flask import Flask, current_app

log = logging.getLogger(__name__)

# A key is random and never reused, so its object never changes.
IMMUTABLE = "public, max-age=31536000, immutable"


class StorageUnavailable(Exception):
    """The bucket does not answer, or refuses."""


class Bucket:
    """One bucket and, from the first use on, the client that speaks to it.

    Args:
        config: the application's configuration, of which the S3_* keys are read.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config["S3_BUCKET"]
        self.prefix = config["S3_PREFIX"]
        self.public_url = config["S3_PUBLIC_URL"]
        self._config = config
        self._client: Any = None
        self._lock = threading.Lock()  # making a client is not thread-safe; using one is

    @property
    def client(self) -> Any:
        with self._lock:
            self._client = self._client or self._connect()
            return self._client

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config

        endpoint = self._config["S3_ENDPOINT_URL"]
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=self._config["S3_REGION"],
            aws_access_key_id=self._config["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self._config["S3_SECRET_ACCESS_KEY"],
            config=Config(
                signature_version="s3v4",
                connect_timeout=2,  # seconds; with two attempts no request waits for the bucket longer than 15 s
                read_timeout=5,
                retries={"mode": "standard", "total_max_attempts": 2},
                # The default sends a checksum header that some S3-compatible stores refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if endpoint else "virtual"},
            ),
        )


def init_app(app: Flask) -> None:
    app.extensions["bucket"] = Bucket(app.config)


def _bucket() -> Bucket:
    bucket: Bucket = current_app.extensions["bucket"]
    return bucket


def new_key(folder: str, suffix: str) -> str:
    """A key that nobody can guess: 128 random bits."""
    return f"{_bucket().prefix}{folder}/{secrets.token_hex(16)}.{suffix}"


def put(key: str, data: bytes, content_type: str) -> str:
    """Store an object and return its public URL.

    Raises:
        StorageUnavailable: nothing can be said about whether the object is there.
    """
    _call("put_object", Key=key, Body=data, ContentType=content_type, CacheControl=IMMUTABLE)
    return url_of(key)


def get(key: str) -> bytes | None:
    """The content of an object, or None when it is not there. Raises: StorageUnavailable."""
    from botocore.exceptions import ClientError

    try:
        return bytes(_call("get_object", Key=key)["Body"])
    except StorageUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def delete(key: str) -> None:
    """Delete an object; one that is not there is as good as deleted.

    Raises:
        StorageUnavailable: it may still be there.
    """
    _call("delete_object", Key=key)


def list_objects(folder: str) -> Iterator[dict[str, datetime]]:
    """key: when it was put, of all objects in a folder and none in a folder of that; up to a thousand at a time.

    Raises:
        StorageUnavailable: the list ends here, though there may be more.
    """
    prefix, after = f"{_bucket().prefix}{folder}/", ""
    while True:
        answer = _call("list_objects_v2", Prefix=prefix, StartAfter=after)
        found = {item["Key"]: item["LastModified"] for item in answer.get("Contents", ())}
        yield {key: put_at for key, put_at in found.items() if "/" not in key.removeprefix(prefix)}
        if not answer["IsTruncated"]:
            return
        after = max(found)


def url_of(key: str) -> str:
    return f"{_bucket().public_url}/{quote(key)}"


def key_of(url: str) -> str | None:
    """The key of a public URL, or None when the URL is not of this bucket (it was moved, say)."""
    base = f"{_bucket().public_url}/"
    return unquote(url.removeprefix(base)) if url.startswith(base) else None


def _call(operation: str, **arguments: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = _bucket()
    try:
        answer: dict[str, Any] = getattr(bucket.client, operation)(Bucket=bucket.name, **arguments)
        if "Body" in answer:  # it is still to come, and may not
            answer["Body"] = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise StorageUnavailable(f"{operation} failed: {error}") from error
    return answer
