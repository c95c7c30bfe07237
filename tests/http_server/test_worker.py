"""The worker, served for real: what it refuses by itself, and what it does without room on the disk or descriptors.

A limit of the process stands in for a full disk (RLIMIT_FSIZE, setrlimit(2)): a write beyond it fails, also for root.
"""

import os
import re
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from tests.child import child
from tests.http_server.site import MIB
from tests.waiting import WITHIN, wait_until
from tools.dev import ports

ROOT = Path(__file__).parents[2]
ROOM = 256 * 1024  # bytes of a file, while the disk is full; more than a body that stays in memory, and than the log
UPLOAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % MIB + bytes(MIB)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (MIB, bytes(MIB))
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Site:
    port: int
    worker: psutil.Process
    log: Path
    log_begins: int = 0  # where that of the test does

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN)

    def answers(self, requests: bytes) -> list[bytes]:
        """Return the status line of each answer, until the server closes the connection."""
        with self.connect() as client:
            client.sendall(requests)
            return re.findall(rb"HTTP/\d\.\d \d+ [^\r\n]*", client.makefile("rb").read())

    def said(self) -> str:
        return self.log.read_text()[self.log_begins :]

    def logged(self, words: str) -> None:
        wait_until(lambda: words in self.said(), f"logged: {words}")

    def connections(self) -> int:
        """Count what the worker has open, beside its listener."""
        entries = Path(f"/proc/{self.worker.pid}/fd").iterdir()
        return sum("socket:" in os.path.realpath(entry) for entry in entries) - 1

    def first_free_descriptor(self) -> int:
        used = {int(name) for name in os.listdir(f"/proc/{self.worker.pid}/fd")}
        return next(number for number in range(len(used) + 1) if number not in used)

    @contextmanager
    def limited(self, limit: int, most: int) -> Iterator[None]:
        soft, hard = resource.prlimit(self.worker.pid, limit)
        resource.prlimit(self.worker.pid, limit, (most, hard))
        try:
            yield
        finally:
            resource.prlimit(self.worker.pid, limit, (soft, hard))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    [port] = ports.find_free(1)
    log = tmp_path_factory.mktemp("site") / "log"
    command = [sys.executable, "-m", "gunicorn", "-c", "python:tests.http_server.site", "-b", f"127.0.0.1:{port}"]
    environment = {**os.environ, "GUNICORN_CMD_ARGS": ""}
    with log.open("wb") as output, child(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:
        wait_until(lambda: "Booting worker" in log.read_text(), "the worker has started")
        [worker] = psutil.Process(process.pid).children()
        yield Site(port, worker, log)
        process.terminate()
        process.wait(WITHIN)


@pytest.fixture
def site(served: Site) -> Iterator[Site]:
    """Yield the site. At the end it is the same process, and well."""
    assert served.answers(b"GET / HTTP/1.0\r\n\r\n") == [b"HTTP/1.0 200 OK"]
    wait_until(lambda: served.connections() == 0, "no connection is left")
    yield replace(served, log_begins=len(served.log.read_text()))
    assert served.answers(UPLOAD.replace(b"Host", b"Connection: close\r\nHost")) == [b"HTTP/1.1 200 OK"]


@pytest.mark.parametrize("upload", [UPLOAD, CHUNKED], ids=["length", "chunked"])
def test_an_upload_for_which_the_disk_has_no_room_is_503_and_a_line_of_the_log(site: Site, upload: bytes) -> None:
    with site.limited(resource.RLIMIT_FSIZE, ROOM):
        assert site.answers(upload + GET) == [b"HTTP/1.1 503 Service Unavailable"]
        assert site.answers(LAST) == [b"HTTP/1.1 200 OK"]
    site.logged('level=error logger=gunicorn.error request_id=- msg="a request is refused: 503 SpoolFailed [Errno 27]')


def test_a_connection_that_cannot_be_accepted_is_a_line_of_the_log_and_is_answered_later(site: Site) -> None:
    with site.limited(resource.RLIMIT_NOFILE, site.first_free_descriptor()), site.connect() as client:
        client.sendall(GET)
        site.logged('level=error logger=gunicorn.error request_id=- msg="connections cannot be accepted: [Errno 24]')
    with site.connect() as client:
        client.sendall(GET)
        assert client.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    ("version", "path", "error"),
    [("1.0", "/broken", "a bug"), ("1.1", "/broken", "a bug"), ("1.1", "/short", "TooShort: 5 bytes")],
)
def test_an_answer_that_fails_on_its_way_is_no_whole_answer_and_no_success_in_the_log(
    site: Site, version: str, path: str, error: str
) -> None:
    """Not even where the connection is kept, and another answer could fill it up."""
    head = f"GET {path} HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    with site.connect() as client:
        client.sendall(head.encode() + GET)
        received = read_until_reset(client)
    assert received.count(b"HTTP/") <= 1
    assert not received.endswith(b"0\r\n\r\n")
    site.logged(f'path="{path}" route=- status=500 ')
    site.logged(error)
    assert "status=200 " not in site.said()
    assert site.said().count("Traceback") == 1


def read_until_reset(client: socket.socket) -> bytes:
    received = b""
    try:
        while data := client.recv(65536):
            received += data
    except ConnectionResetError:
        return received
    raise AssertionError("the connection has an orderly end")


def test_an_answer_for_which_the_disk_has_no_room_is_cut_off(site: Site) -> None:
    with site.limited(resource.RLIMIT_FSIZE, ROOM), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.settimeout(WITHIN)
        client.connect(("127.0.0.1", site.port))
        client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        site.logged('path="/large" route=- status=500 ')
        received = read_until_reset(client)
    assert len(received) < 64 * MIB
    assert received.count(b"HTTP/") <= 1
    site.logged("SpoolFailed")
