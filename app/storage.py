"""Object storage (S3): put, get, list and delete objects, and the URL of a key.

Anybody may read an object whose key they know, and nothing else; docs/configuration.md has the bucket's policy.
boto3 is imported on first use: it takes 0.3 s and 40 MB, and most requests need no object.
"""

import logging
import secrets
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from flask import Flask, current_app

from app import tracing
from app.jobs import defer, queue, retrying

log = logging.getLogger(__name__)

# A key is random and never used again, so the object behind it never changes.
IMMUTABLE = "public, max-age=31536000, immutable"

# Seconds. A request is tried twice; standard retries pause for up to a second in between (botocore, standard.py).
CONNECT_TIMEOUT, READ_TIMEOUT, PAUSE = 1.0, 2.5, 1.0
MOST_SECONDS = 2 * READ_TIMEOUT + PAUSE  # of a request to a bucket that accepts the connection but does not answer
LEAST_SECONDS = 2 * CONNECT_TIMEOUT + PAUSE  # of one that does not even accept the connection, and so of any

# What of READ_TIMEOUT a request may take whose caller has less time. Its client is shared by all threads.
_read_timeout: ContextVar[float] = ContextVar("read_timeout", default=READ_TIMEOUT)


class StorageUnavailable(Exception):
    """The bucket does not answer, or refuses the request."""


class Bucket:
    """One bucket, and its client, which is made on first use.

    Args:
        config: the application's configuration; its S3_* keys are read.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.name = config["S3_BUCKET"]
        self.prefix = config["S3_PREFIX"]
        self.public_url = config["S3_PUBLIC_URL"]
        self._config = config
        self._client: Any = None
        self._lock = threading.Lock()  # making a client is not thread-safe, using one is

    @property
    def client(self) -> Any:
        with self._lock:
            self._client = self._client or self._connect()
            return self._client

    def _connect(self) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.handlers import add_expect_header

        endpoint = self._config["S3_ENDPOINT_URL"]
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=self._config["S3_REGION"],
            aws_access_key_id=self._config["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self._config["S3_SECRET_ACCESS_KEY"],
            config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": 2},
                # By default a checksum header is sent, which some S3-compatible stores refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if endpoint else "virtual"},
            ),
        )
        # Our objects have a few kilobytes: to ask before each whether it may be sent (Expect: 100-continue) costs a
        # round trip, and a second of each attempt while the bucket hangs.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register("before-call.s3", _limit_reading)
        return client


def _limit_reading(context: dict[str, Any], **_: Any) -> None:
    """botocore takes the timeout of one request from its context (httpsession.py)."""
    context["read_timeout"] = _read_timeout.get()


def init_app(app: Flask) -> None:
    app.extensions["bucket"] = Bucket(app.config)


def _bucket() -> Bucket:
    bucket: Bucket = current_app.extensions["bucket"]
    return bucket


def new_key(folder: str, suffix: str) -> str:
    """A new key. Its name is 128 random bits, so nobody can guess it."""
    return f"{_bucket().prefix}{folder}/{secrets.token_hex(16)}.{suffix}"


def put(key: str, data: bytes, content_type: str, seconds: float = MOST_SECONDS) -> str:
    """Store an object and return its public URL.

    Args:
        seconds: after which to give up, both attempts together; LEAST_SECONDS at least.

    Raises:
        StorageUnavailable: the object may be there or not.
    """
    both = max(seconds, LEAST_SECONDS) - PAUSE
    limit = _read_timeout.set(min(READ_TIMEOUT, both / 2))
    try:
        _call("put_object", Key=key, Body=data, ContentType=content_type, CacheControl=IMMUTABLE)
    finally:
        _read_timeout.reset(limit)
    return url_of(key)


def get(key: str) -> bytes | None:
    """The content of an object; None when there is none. Raises: StorageUnavailable."""
    from botocore.exceptions import ClientError

    try:
        return bytes(_call("get_object", Key=key)["Body"])
    except StorageUnavailable as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise


def delete(key: str) -> None:
    """Delete an object; one that is not there counts as deleted. Raises: StorageUnavailable: it may still be there."""
    _call("delete_object", Key=key)


def delete_later(url: str | None) -> None:
    """Let the worker delete the object behind a public URL once the current transaction has committed.

    Row first, then the object. So every URL in the database has its object, whatever line a process dies at.
    """
    key = key_of(url) if url else None
    if key is not None:
        defer("storage.delete", key=key)


@queue.task(name="storage.delete", aliases=["mypage.delete_photo"], retry=retrying(6, StorageUnavailable))
def delete_object(key: str) -> None:
    """The job behind `delete_later`. Keys are never used again, so it may run late and more than once."""
    delete(key)


def list_objects(folder: str) -> Iterator[dict[str, datetime]]:
    """All objects in a folder, without its subfolders: pages of up to 1,000, each a dict of key to time of upload.

    Raises:
        StorageUnavailable: there may be more objects.
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
    """The key of a public URL; None when the URL belongs to another bucket, as after a move."""
    base = f"{_bucket().public_url}/"
    return unquote(url.removeprefix(base)) if url.startswith(base) else None


@tracing.bucket_time()
def _call(operation: str, **arguments: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = _bucket()
    try:
        answer: dict[str, Any] = getattr(bucket.client, operation)(Bucket=bucket.name, **arguments)
        if "Body" in answer:  # a stream: reading it may fail as well
            answer["Body"] = answer["Body"].read()
    except (BotoCoreError, ClientError) as error:
        raise StorageUnavailable(f"{operation} failed: {error}") from error
    return answer
