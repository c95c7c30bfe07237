"""Object storage over the wire: what the stores answer differently comes to the same, and the machine has no say."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import storage
from app.storage import Bucket, StorageUnavailable
from tests.object_store import AMAZON, BUCKET, HOST, STORES, Running, Store, serving

CONTENT = b"a small photo"
ANSWER = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
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
def open_store() -> Iterator[Open]:
    """Yield a function: open_store(store) serves it, and makes it the bucket."""
    app = Flask("photos")
    with ExitStack() as stack, app.app_context():

        def open_store(store: Store) -> Running:
            running = stack.enter_context(serving(store))
            app.extensions["bucket"] = bucket_at(running.port, S3_ADDRESSING=store.takes[0])
            return running

        yield open_store


def listed() -> dict[str, datetime]:
    return {key: put_at for page in storage.list_objects("photos") for key, put_at in page.items()}


@pytest.mark.parametrize("name", STORES)
def test_in_every_store_a_photo_is_put_read_and_deleted_and_a_folder_is_listed_whole_and_alone(
    open_store: Open, name: str
) -> None:
    running = open_store(STORES[name])
    storage.put(KEYS[0], CONTENT, "image/webp")
    assert running.objects == {KEYS[0]: CONTENT}
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


@pytest.mark.parametrize(
    ("moment", "is_old"), [("2020-01-02T03:04:05.000Z", True), ("2020-01-02T03:04:05", True), (None, False)]
)
def test_an_object_without_a_time_counts_as_new(open_store: Open, moment: str | None, is_old: bool) -> None:
    """The sweep deletes what is old."""
    open_store(Store(moment=moment)).objects = {KEYS[0]: CONTENT}
    assert (listed()[KEYS[0]] < datetime.now(UTC) - timedelta(days=1)) is is_old


NO_KEY = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
ENDLESS = {
    "start-after is ignored, and there is no token": Store(gives_tokens=False, heeds=("prefix",)),
    "the token is ignored": Store(heeds=("prefix", "start-after")),
    "it begins with an empty page, each time": Store(heeds=("prefix",), begins_empty=True),
    "an empty page with more behind it, nobody knows where": Store(answer=(200, NO_KEY)),
    "no page has an object": Store(page_size=0),
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
    "answer",
    [
        (200, HTML),
        (302, HTML),
        (404, ""),
        (403, "<Error><Code>AccessDenied</Code></Error>"),
        (200, "<ListBucketResult><Contents><Key>photos/1</Key>"),
        (200, "<ListBucketResult><Contents><LastModified>soon</LastModified></Contents></ListBucketResult>"),
    ],
)
def test_what_is_no_listing_is_one_error_in_a_sentence(open_store: Open, answer: tuple[int, str]) -> None:
    open_store(Store(answer=answer))
    with pytest.raises(StorageUnavailable) as refused:
        listed()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "text"),
    [(302, HTML), (404, HTML), (404, "<Error><Code>NoSuchBucket</Code></Error>"), (403, "<Error><Code>AccessDenied")],
)
def test_a_deletion_that_the_store_does_not_confirm_is_no_deletion(open_store: Open, status: int, text: str) -> None:
    """Its job tries again. Something on the way that knows no such path must not end it."""
    open_store(Store(answer=(status, text)))
    with pytest.raises(StorageUnavailable):
        storage.delete(KEYS[0])


def test_a_store_that_stays_busy_is_one_error_after_two_attempts(open_store: Open) -> None:
    running = open_store(Store(busy=9))
    with pytest.raises(StorageUnavailable, match="SlowDown"):
        storage.put(KEYS[0], CONTENT, "image/webp")
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


@pytest.mark.parametrize("variables", [{}, VARIABLES], ids=["no variable", "variables"])
@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_what_the_machine_has_for_amazon_neither_breaks_nor_redirects_an_upload(
    open_store: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], variables: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / ".aws" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".aws" / name).write_text(text)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    running = open_store(AMAZON)
    storage.put(KEYS[0], CONTENT, "image/webp")
    assert running.objects == {KEYS[0]: CONTENT}
    assert running.requests == [("PUT", f"/{BUCKET}/{KEYS[0]}")]
    amazon = bucket_at(0, S3_ADDRESSING="virtual")  # nor is its own address another one
    amazon._config["S3_ENDPOINT_URL"] = None
    address = amazon.client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEYS[0]})
    assert address.startswith(f"https://{BUCKET}.s3.amazonaws.com/{KEYS[0]}?")
    assert "us-east-1" in address
    assert "token" not in address.lower()


def received_by(server: socket.socket) -> bytes:
    """Return one request, head and body, which is answered only when all of it is there."""
    client, _ = server.accept()
    with client:
        client.settimeout(10)
        request = b""
        while CONTENT not in request:
            request += client.recv(65536)
        client.sendall(ANSWER)
    return request


def test_an_object_is_sent_without_waiting_for_a_permission() -> None:
    """Expect: 100-continue."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        request = threads.submit(received_by, server)
        bucket_at(server.getsockname()[1]).client.put_object(Bucket=BUCKET, Key="key", Body=CONTENT)
        assert b"expect:" not in request.result().lower()
