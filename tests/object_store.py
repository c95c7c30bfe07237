"""A stand-in for an object store, and what the stores answer differently. It checks no signature.

Every one refuses what one of them refuses: an ACL (R2), a checksum that nobody asked for (B2, OSS), a body in chunks
(GCS, OSS), and a session's token.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "photos-of-all"
HOST = "store.test"  # the tests resolve it, and every host in it, to this machine
REFUSED = ("x-amz-acl", "x-amz-sdk-checksum", "x-amz-checksum", "x-amz-trailer", "x-amz-security", "transfer-encoding")
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
    "without IsTruncated and tokens, in one page": replace(
        AMAZON, says_truncated=False, gives_tokens=False, page_size=1000
    ),
    "with a token for nothing": replace(AMAZON, gives_last_token=True),
    "without a prefix": replace(AMAZON, heeds=("start-after", "continuation-token")),
    "busy": replace(AMAZON, busy=1),
}


@dataclass
class Running:
    """Hold the objects by key; `requests` are those that were answered: the method and the path."""

    store: Store
    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def listing(self, query: dict[str, str]) -> str:
        store = self.store
        heeded = {name: value for name, value in query.items() if name in store.heeds}
        prefix, after = heeded.get("prefix", ""), heeded.get("start-after", "")
        keys = [key for key in sorted(self.objects, reverse=store.in_reverse) if key.startswith(prefix) and key > after]
        found = [query["prefix"], *keys] if store.lists_folder else keys
        at = int(heeded.get("continuation-token", -store.page_size if store.begins_empty else 0))
        end = at + store.page_size
        pages = [self._listed(key, heeded.get("encoding-type")) for key in found[max(at, 0) : max(end, 0)]]
        return "".join(
            ["<ListBucketResult>", *self._told(heeded, end, end < len(found)), *pages, "</ListBucketResult>"]
        )

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


@contextmanager
def serving(store: Store) -> Iterator[Running]:
    running = Running(store)
    with Server(("127.0.0.1", 0), Handler) as server:
        server.running, running.port = running, server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield running
        finally:
            server.shutdown()
