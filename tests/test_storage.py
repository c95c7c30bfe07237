"""Object storage over the wire: what the stores answer differently comes to the same, and the machine has no say.

The stand-in for a store checks no signature. It refuses what one of them refuses: an ACL (R2), a checksum that nobody
asked for (B2, OSS), a body in chunks (GCS, OSS), and a session's token; and the question whether it may be sent.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from flask import Flask, current_app

from app import storage
from app.storage import Bucket, StorageUnavailable

BUCKET = "photos-of-all"
HOST = "store.test"  # the tests resolve it, and every host in it, to this machine
AMZ = ("x-amz-acl", "x-amz-sdk-checksum", "x-amz-checksum", "x-amz-trailer", "x-amz-security")
REFUSED = (*AMZ, "transfer-encoding", "expect")
MOMENT = "2026-01-02T03:04:05.000Z"


@dataclass(frozen=True)
class Store:
    """Answer as Amazon does, but for the fields that are set."""

    takes: tuple[str, ...] = ("path", "virtual")  # where the bucket may be named
    absent: int = 204  # the status of the deletion of what is not there
    heeds: tuple[str, ...] = ("prefix", "start-after", "continuation-token", "encoding-type")  # of a listing
    gives_tokens: bool = True
    gives_last_token: bool = False  # also where nothing follows
    says_truncated: bool = True
    begins_empty: bool = False  # its first page has no object
    in_reverse: bool = False
    lists_folder: bool = False
    moment: str | None = MOMENT
    page_size: int = 2
    answer: tuple[int, str] | None = None  # to everything
    busy: int = 0  # how many requests are refused at first


AMAZON = Store()
STORES = {
    "Amazon S3": AMAZON,
    "Amazon S3 Express, in no order": replace(AMAZON, in_reverse=True, heeds=("prefix", "continuation-token")),
    "Google": replace(AMAZON, absent=404, heeds=("prefix", "start-after", "continuation-token")),
    "Ceph, before it had tokens": replace(AMAZON, takes=("path",), gives_tokens=False),
    "SeaweedFS": replace(AMAZON, takes=("path",), lists_folder=True),
    "Alibaba OSS": replace(AMAZON, takes=("virtual",)),
    "slow to find": replace(AMAZON, begins_empty=True),
    "without IsTruncated": replace(AMAZON, says_truncated=False),
    "without IsTruncated and tokens": replace(AMAZON, says_truncated=False, gives_tokens=False, page_size=1000),
    "with a token for nothing, and busy at first": replace(AMAZON, gives_last_token=True, busy=1),
    "without a prefix": replace(AMAZON, heeds=("start-after", "continuation-token")),
}


@dataclass
class Running:
    """Hold the objects by key; `requests` are those that were answered: the method and the path."""

    store: Store
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    told: tuple[str | None, ...] = ()  # of the last object: what a browser will be told of it

    def listing(self, query: dict[str, str]) -> str:
        store = self.store
        heeded = {name: value for name, value in query.items() if name in store.heeds}
        prefix, after = heeded.get("prefix", ""), heeded.get("start-after", "")
        keys = [key for key in sorted(self.objects, reverse=store.in_reverse) if key.startswith(prefix) and key > after]
        found = [query["prefix"], *keys] if store.lists_folder else keys
        at = int(heeded.get("continuation-token", -store.page_size if store.begins_empty else 0))
        end = at + store.page_size
        pages = [self._listed(key, heeded.get("encoding-type")) for key in found[max(at, 0) : max(end, 0)]]
        listed = [*self._told(heeded, end, end < len(found)), *pages]
        return f"<ListBucketResult>{''.join(listed)}</ListBucketResult>"

    def _told(self, heeded: dict[str, str], end: int, goes_on: bool) -> Iterator[str]:
        if "encoding-type" in heeded:
            yield "<EncodingType>url</EncodingType>"
        if self.store.says_truncated:
            yield f"<IsTruncated>{str(goes_on).lower()}</IsTruncated>"
        if self.store.gives_tokens and (goes_on or self.store.gives_last_token):
            yield f"<NextContinuationToken>{end}</NextContinuationToken>"

    def _listed(self, key: str, encoding: str | None) -> str:
        moment = f"<LastModified>{self.store.moment}</LastModified>" if self.store.moment else ""
        return f"<Contents><Key>{quote(key) if encoding == 'url' else escape(key)}</Key>{moment}</Contents>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def running(self) -> Running:
        return cast(Server, self.server).running

    def answer(self) -> None:
        store, requests = self.running.store, self.running.requests
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        requests.append((self.command, self.path))
        if store.answer:
            self.send(*store.answer)
        elif len(requests) <= store.busy:
            self.refuse(503, "SlowDown")
        elif [name for name in self.headers if name.lower().startswith(REFUSED)]:
            self.refuse(501, "NotImplemented")
        elif (key := self.key()) is None:
            self.refuse(403, "SecondLevelDomainForbidden")
        elif key:
            self.serve(key, body)
        else:
            query = parse_qs(urlsplit(self.path).query)
            self.send(200, self.running.listing({name: value for name, [value] in query.items()}))

    do_GET = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def key(self) -> str | None:
        """Return the key, "" of the bucket itself. None: the bucket is not named where the store takes it."""
        path = unquote(urlsplit(self.path).path)
        if self.headers["Host"].startswith(f"{BUCKET}.{HOST}") and "virtual" in self.running.store.takes:
            return path[1:]
        if path.startswith(f"/{BUCKET}") and "path" in self.running.store.takes:
            return path[len(BUCKET) + 2 :]
        return None

    def serve(self, key: str, body: bytes) -> None:
        objects = self.running.objects
        if self.command == "PUT":
            objects[key] = body
            self.running.told = (self.headers["Content-Type"], self.headers["Cache-Control"])
            self.send(200)
        elif self.command == "GET":
            self.send(200, objects[key].decode()) if key in objects else self.refuse(404, "NoSuchKey")
        elif objects.pop(key, None) is None and self.running.store.absent == 404:
            self.refuse(404, "NoSuchKey")
        else:
            self.send(204)

    def refuse(self, status: int, code: str) -> None:
        self.send(status, f"<Error><Code>{code}</Code></Error>")

    def send(self, status: int, text: str = "") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        if status // 100 == 3:
            self.send_header("Location", f"https://{self.headers['Host']}{self.path}")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    running: Running


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def buckets(server: Server) -> dict[str, Bucket]:
    """Name the bucket in each way. To make a client takes longer than most tests."""
    return {where: bucket_at(server.server_port, S3_ADDRESSING=where) for where in AMAZON.takes}


CONTENT = b"a small photo"
KEYS = [f"photos/{number:032x}.webp" for number in range(5)]
HTML = "<!doctype html><title>Not here<p>The page <b>of a proxy"
Open = Callable[[Store], Running]


def bucket_at(port: int, **settings: str) -> Bucket:
    endpoint = f"http://{HOST}:{port}"
    config = {"S3_BUCKET": BUCKET, "S3_PREFIX": "", "S3_PUBLIC_URL": "https://photos.test", "S3_REGION": "us-east-1"}
    keys = {"S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
    return Bucket({**config, **keys, "S3_ENDPOINT_URL": endpoint, "S3_ADDRESSING": "path", **settings})


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if str(host).endswith(HOST) else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def open_store(server: Server, buckets: dict[str, Bucket]) -> Iterator[Open]:
    """Yield a function: open_store(store) serves it, and makes it the bucket."""
    app = Flask("photos")

    def open_store(store: Store) -> Running:
        server.running = Running(store)
        app.extensions["bucket"] = buckets[store.takes[0]]
        return server.running

    with app.app_context():
        yield open_store


def listed() -> dict[str, datetime]:
    return {key: put_at for page in storage.list_objects("photos") for key, put_at in page.items()}


@pytest.mark.parametrize("name", STORES)
def test_every_store_puts_reads_deletes_a_photo_and_lists_a_folder_whole_and_alone(open_store: Open, name: str) -> None:
    running = open_store(STORES[name])
    storage.put(KEYS[0], CONTENT, "image/webp")
    assert (running.objects, running.told) == ({KEYS[0]: CONTENT}, ("image/webp", storage.IMMUTABLE))
    assert storage.get(KEYS[0]) == CONTENT
    for _attempt in range(2):
        storage.delete(KEYS[0])
    assert storage.get(KEYS[0]) is None
    assert running.objects == {}
    assert listed() == {}
    others = ["0" * 32 + ".webp", "photos", "photos/old/1.webp", "photos+/1.webp", "other/photos/1.webp", "사진/1.webp"]
    running.objects = dict.fromkeys([*KEYS, *others], CONTENT)
    assert sorted(listed()) == KEYS
    assert len(running.objects) == len(KEYS) + len(others)


@pytest.mark.parametrize("moment", ["2020-01-02T03:04:05.000Z", "2020-01-02T03:04:05", None])
def test_an_object_without_a_time_counts_as_new(open_store: Open, moment: str | None) -> None:
    """The sweep deletes what is old."""
    open_store(Store(moment=moment)).objects = {KEYS[0]: CONTENT}
    assert (listed()[KEYS[0]] < datetime.now(UTC) - timedelta(days=1)) is (moment is not None)


NO_KEY = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
ENDLESS = {
    "start-after is ignored, and there is no token": Store(gives_tokens=False, heeds=("prefix",)),
    "the token is ignored": Store(heeds=("prefix", "start-after")),
    "it begins with an empty page, each time": Store(heeds=("prefix",), begins_empty=True),
    "an empty page with more behind it, nobody knows where": Store(answer=(200, NO_KEY)),
}


@pytest.mark.parametrize("store", ENDLESS.values(), ids=ENDLESS)
def test_a_listing_that_does_not_go_on_is_given_up(open_store: Open, store: Store) -> None:
    running = open_store(store)
    running.objects = dict.fromkeys(KEYS, CONTENT)
    with pytest.raises(StorageUnavailable, match="the same page again"):
        listed()
    assert len(running.requests) <= len(KEYS) + 1
    assert running.objects.keys() == set(KEYS)


def test_empty_pages_that_each_lead_to_another_are_given_up(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_EMPTY_PAGES", 10)
    running = open_store(AMAZON)
    another = "</IsTruncated><NextContinuationToken>{}</NextContinuationToken></ListBucketResult>"
    page = NO_KEY.partition("</IsTruncated>")[0] + another
    monkeypatch.setattr(Running, "listing", lambda running, query: page.format(len(running.requests)))
    with pytest.raises(StorageUnavailable):
        listed()
    assert len(running.requests) == 11


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, HTML),
        (302, HTML),
        (404, ""),
        (404, HTML),
        (404, "<Error><Code>NoSuchBucket</Code></Error>"),
        (403, "<Error><Code>AccessDenied</Code></Error>"),
        (200, "<ListBucketResult><Contents><Key>photos/1</Key>"),
        (200, "<ListBucketResult><Contents><LastModified>soon</LastModified></Contents></ListBucketResult>"),
    ],
)
def test_what_is_no_listing_or_no_deletion_is_one_error_in_a_sentence(open_store: Open, status: int, text: str) -> None:
    """The job of a deletion tries again. Something on the way that knows no such path must not end it."""
    open_store(Store(answer=(status, text)))
    with pytest.raises(StorageUnavailable) as refused:
        listed()
    assert "\n" not in str(refused.value)
    if status != 200:
        with pytest.raises(StorageUnavailable):
            storage.delete(KEYS[0])


@pytest.mark.parametrize("ask", [lambda key: storage.put(key, CONTENT, "image/webp"), storage.get], ids=["put", "get"])
def test_a_store_that_stays_busy_is_an_error_after_two_attempts(open_store: Open, ask: Callable[[str], object]) -> None:
    running = open_store(Store(busy=9))
    with pytest.raises(StorageUnavailable, match="SlowDown"):
        ask(KEYS[0])
    assert len(running.requests) == 2
    assert running.objects == {}


# What a machine may have for Amazon: files in ~/.aws, and variables.
ADDRESS = "[default]\nendpoint_url = http://127.0.0.1:1\ns3 =\n  addressing_style = virtual"
FILES = {
    "files that nobody can read": dict.fromkeys(("config", "credentials"), "not a [file"),
    "files with another address": dict.fromkeys(("config", "credentials"), ADDRESS),
    "a model of another protocol": {"models/s3/2006-03-01/service-2.json": "{not a model"},
}
VARIABLES = {
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_S3": "nonsense",
    "AWS_DEFAULT_REGION": "not a region!",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/gone",
    "REQUESTS_CA_BUNDLE": " ",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1"),
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_SESSION_TOKEN": "token",
}


@pytest.mark.parametrize(("files", "variables"), [*zip(FILES.values(), ({}, {}, VARIABLES), strict=True)], ids=FILES)
def test_what_the_machine_has_for_amazon_neither_breaks_nor_redirects_an_upload(
    open_store: Open,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str],
    variables: dict[str, str],
) -> None:
    for name, text in files.items():
        (tmp_path / ".aws" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".aws" / name).write_text(text)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    running = open_store(AMAZON)
    current_app.extensions["bucket"] = bucket_at(server.server_port)
    storage.put(KEYS[0], CONTENT, "image/webp")
    assert running.objects == {KEYS[0]: CONTENT}
    assert running.requests == [("PUT", f"/{BUCKET}/{KEYS[0]}")]
    amazon = bucket_at(0, S3_ADDRESSING="virtual")  # nor is its own address another one
    amazon._config["S3_ENDPOINT_URL"] = None
    address = amazon.client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEYS[0]})
    assert address.startswith(f"https://{BUCKET}.s3.amazonaws.com/{KEYS[0]}?")
    assert "us-east-1" in address
    assert "token" not in address.lower()
