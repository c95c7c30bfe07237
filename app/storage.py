"""Object storage (S3): put, get, list and delete objects, and the URL of a key.

Anybody may read an object whose key they know, and nothing else; docs/configuration.md has the bucket's policy.
boto3 is imported on first use: it takes 0.3 s and 40 MB, and most requests need no object.
"""

import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from flask import Flask, current_app

from app import tracing
from app.jobs.queue import defer, queue, retrying

# A key is random and never used again, so the object behind it never changes.
IMMUTABLE = "public, max-age=31536000, immutable"

# Seconds. A request is tried twice; standard retries pause for up to a second in between (botocore, standard.py).
CONNECT_TIMEOUT, READ_TIMEOUT, PAUSE = 1.0, 2.5, 1.0
MOST_SECONDS = 2 * READ_TIMEOUT + PAUSE  # of a request to a bucket that accepts the connection but does not answer
LEAST_SECONDS = 2 * CONNECT_TIMEOUT + PAUSE  # of one that does not even accept the connection, and so of any

# A store may list pages without an object, as of a bucket that keeps deleted versions; not so many in a row.
MOST_EMPTY_PAGES = 100

# Seconds of READ_TIMEOUT that a caller in a hurry may take. Its client is shared by all threads.
_read_timeout: ContextVar[float] = ContextVar("read_timeout", default=READ_TIMEOUT)


class StorageUnavailable(Exception):
    """The bucket does not answer, or refuses the request, with this `code` of the store's."""

    code: str | None = None


class Bucket:
    """Hold one bucket (S3_* of the configuration), and its client, which is made on first use."""

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
        from botocore.config import Config
        from botocore.handlers import add_expect_header

        client = _session().client(
            "s3",
            endpoint_url=self._config["S3_ENDPOINT_URL"],
            region_name=self._config["S3_REGION"],
            verify=True,
            aws_access_key_id=self._config["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self._config["S3_SECRET_ACCESS_KEY"],
            config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": 2},
                proxies={},
                ignore_configured_endpoint_urls=True,
                # By default a checksum header is sent, which some S3-compatible stores refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": self._config["S3_ADDRESSING"]},
            ),
        )
        # Our objects have a few kilobytes: to ask before each whether it may be sent (Expect: 100-continue) costs a
        # round trip, and a second of each attempt while the bucket hangs.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register("before-call.s3", _limit_reading)
        return client


def _session() -> Any:
    """Return a session that heeds no AWS_* variable, and no file, model or profile of ~/.aws: it could lead away."""
    import boto3
    from botocore.loaders import Loader
    from botocore.session import Session

    variables = {name: (None, None, *rest) for name, (_, _, *rest) in Session.SESSION_VARIABLES.items()}
    no_file = (None, None, os.devnull, None)
    own = Session(session_vars={**variables, "config_file": no_file, "credentials_file": no_file})
    models = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    own.register_component("data_loader", models)
    return boto3.Session(botocore_session=own)


def _limit_reading(context: dict[str, Any], **_: Any) -> None:
    """Set the timeout of one request, which botocore takes from its context (httpsession.py)."""
    context["read_timeout"] = _read_timeout.get()


def init_app(app: Flask) -> None:
    app.extensions["bucket"] = Bucket(app.config)


def _bucket() -> Bucket:
    bucket: Bucket = current_app.extensions["bucket"]
    return bucket


def new_key(folder: str, suffix: str) -> str:
    """Make a new key. Its name is 128 random bits, so nobody can guess it."""
    return f"{_bucket().prefix}{folder}/{secrets.token_hex(16)}.{suffix}"


def put(key: str, data: bytes, content_type: str, seconds: float = MOST_SECONDS) -> str:
    """Store an object and return its public URL. Give up after so many seconds, both attempts together.

    Raises: StorageUnavailable: the object may be there or not.
    """
    both = max(seconds, LEAST_SECONDS) - PAUSE
    limit = _read_timeout.set(min(READ_TIMEOUT, both / 2))
    try:
        _call("put_object", Key=key, Body=data, ContentType=content_type, CacheControl=IMMUTABLE)
    finally:
        _read_timeout.reset(limit)
    return url_of(key)


def get(key: str) -> bytes | None:
    """Return the content of an object; None when there is none. Raises: StorageUnavailable."""
    try:
        return bytes(_call("get_object", Key=key)["Body"])
    except StorageUnavailable as error:
        if error.code in ("NoSuchKey", "404"):
            return None
        raise


def delete(key: str) -> None:
    """Delete an object; one that is not there counts as deleted. Raises: StorageUnavailable: it may still be there."""
    try:
        _call("delete_object", Key=key)
    except StorageUnavailable as error:
        # Google's answer where Amazon's is 204. A 404 that does not name the key can be of anything on the way.
        if error.code != "NoSuchKey":
            raise


def delete_later(url: str | None) -> None:
    """Let the worker delete the object behind a public URL once the current transaction has committed.

    Row first, then the object: so every URL in the database has its object, whatever line a process dies at.
    """
    key = key_of(url) if url else None
    if key is not None:
        defer("storage.delete", key=key)


@queue.task(name="storage.delete", retry=retrying(6, StorageUnavailable))
def delete_object(key: str | None = None, url: str | None = None) -> None:
    """Do what `delete_later` has deferred. Keys are never used again, so it may run late and more than once.

    Args:
        url: in the place of the key, from a trigger, which knows only what its row holds.
    """
    key = key_of(url) if url else key
    if key is not None:
        delete(key)


def list_objects(folder: str) -> Iterator[dict[str, datetime]]:
    """Yield the objects of a folder, without its subfolders, in pages of up to 1,000: key to time of upload.

    Raises: StorageUnavailable: there may be more objects.
    """
    prefix = f"{_bucket().prefix}{folder}/"
    directly_in_it = re.compile(f"{re.escape(prefix)}[^/]+")  # some stores list the folder, or heed no prefix
    for page in _pages(prefix):
        yield {key: put_at for key, put_at in page.items() if directly_in_it.fullmatch(key)}


def _pages(prefix: str) -> Iterator[dict[str, datetime]]:
    """Yield the listing page by page. It ends, whatever the store answers: each page has to bring something new.

    A page is known by its lowest key, or if it has none by the token of the next. A store that does not say whether
    more follows has more if it gives a token; one that gives no token goes on behind the highest key, or is given up.
    """
    known: set[str] = set()
    place: dict[str, str] = {}
    empty_pages = 0
    while True:
        answer = _call("list_objects_v2", Prefix=prefix, **place)
        page = {str(item["Key"]): _put_at(item) for item in answer.get("Contents", ()) if "Key" in item}
        token: str = answer.get("NextContinuationToken", "")
        mark = min(page, default=token)
        empty_pages = 0 if page else empty_pages + 1
        if mark in known or empty_pages > MOST_EMPTY_PAGES:
            raise StorageUnavailable("list_objects_v2 failed: the store lists the same page again, without an end")
        known.add(mark)
        yield page
        if not answer.get("IsTruncated", token):
            return
        place = {"ContinuationToken": token} if token else {"StartAfter": max(page, default="")}


def _put_at(item: dict[str, Any]) -> datetime:
    """Tell when a listed object was put. Of one without a time it is now: a sweep must not take it for old."""
    put_at: datetime = item.get("LastModified") or datetime.now(UTC)
    return put_at if put_at.tzinfo else put_at.replace(tzinfo=UTC)


def url_of(key: str) -> str:
    return f"{_bucket().public_url}/{quote(key)}"


def key_of(url: str) -> str | None:
    """Return the key of a public URL; None when the URL belongs to another bucket, as after a move."""
    base = f"{_bucket().public_url}/"
    return unquote(url.removeprefix(base)) if url.startswith(base) else None


@tracing.bucket_time()
def _call(operation: str, **arguments: Any) -> dict[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    bucket = _bucket()
    try:
        answer: dict[str, Any] = getattr(bucket.client, operation)(Bucket=bucket.name, **arguments)
        if "Body" in answer:  # a stream: reading it may fail as well
            answer["Body"] = answer["Body"].read()
    # The last three: no answer of S3, or a redirect, which botocore follows without an end.
    except (BotoCoreError, ClientError, ResponseParserError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]  # what follows can be a whole page
        unavailable = StorageUnavailable(f"{operation} failed: {reason}")
        if isinstance(error, ClientError):
            unavailable.code = error.response.get("Error", {}).get("Code")
        raise unavailable from error
    return answer
