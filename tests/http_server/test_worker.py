"""The worker, served for real: what it refuses by itself."""

import os
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.dev import ports
from tests.child import child
from tests.waiting import WITHIN, wait_until

ROOT = Path(__file__).parents[2]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Site:
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN)

    def answers(self, requests: bytes) -> list[bytes]:
        """The status line of each answer, until the server closes the connection."""
        with self.connect() as client:
            client.sendall(requests)
            return re.findall(rb"HTTP/\d\.\d \d+ [^\r\n]*", client.makefile("rb").read())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    [port] = ports.find_free(1)
    log = tmp_path_factory.mktemp("site") / "log"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:tests.http_server.site",
        "-b",
        f"127.0.0.1:{port}",
        "tests.http_server.site:app",
    ]
    environment = {**os.environ, "GUNICORN_CMD_ARGS": ""}
    with log.open("wb") as output, child(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:
        wait_until(lambda: "Booting worker" in log.read_text(), "the worker has started")
        yield Site(port)
        process.terminate()
        process.wait(WITHIN)


@pytest.mark.parametrize("version", ["0.9", "1.2", "1.9", "1.10", "01.1", "1.1.1", "2", "2.0", "3.0"])
def test_another_version_than_1_0_and_1_1_is_505(site: Site, version: str) -> None:
    head = f"GET / HTTP/{version}\r\nHost: a\r\n\r\n".encode()
    assert site.answers(head + GET) == [b"HTTP/1.1 505 HTTP Version Not Supported"]


def test_the_preface_of_http_2_is_505(site: Site) -> None:
    assert site.answers(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == [b"HTTP/1.1 505 HTTP Version Not Supported"]


@pytest.mark.parametrize("third", [b"", b" http/1.1", b" HTTP/1.1 ", b" HTTP/x", b" x HTTP/1.1", b" HTP/1.1"])
def test_what_names_no_version_is_400(site: Site, third: bytes) -> None:
    assert site.answers(b"GET /" + third + b"\r\nHost: a\r\n\r\n" + GET) == [b"HTTP/1.1 400 Bad Request"]


@pytest.mark.parametrize(
    "hosts", [[], ["a", "a"], ["a b"], ["a/b"], ["a@b"], ["a:b"], ["[::1"], ["::1"], ["a%zz"], ["é"], ["<a>"], ['"a"']]
)
def test_a_request_without_one_valid_host_is_400(site: Site, hosts: list[str]) -> None:
    head = b"GET / HTTP/1.1\r\n" + b"".join(b"Host: %b\r\n" % host.encode() for host in hosts) + b"\r\n"
    assert site.answers(head + GET) == [b"HTTP/1.1 400 Bad Request"]


@pytest.mark.parametrize("host", ["", "a", "A.example", "a:8000", "a:", "127.0.0.1", "[::1]:80", "x_y.example", "%ea"])
def test_a_valid_host_is_answered(site: Site, host: str) -> None:
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert site.answers(head.encode()) == [b"HTTP/1.1 200 OK"]


def test_http_1_0_needs_no_host_and_two_or_a_wrong_one_are_400(site: Site) -> None:
    assert site.answers(b"GET / HTTP/1.0\r\n\r\n") == [b"HTTP/1.0 200 OK"]
    for hosts in (b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n"):
        assert site.answers(b"GET / HTTP/1.0\r\n" + hosts + b"\r\n") == [b"HTTP/1.1 400 Bad Request"]


@pytest.mark.parametrize(
    "lines",
    [
        b"Connection: close",
        b"Connection: CLOSE",
        b"Connection: TE, close",
        b"Connection: close, TE",
        b"Connection: keep-alive,\tClose ,",
        b"Connection: keep-alive\r\nX: y\r\nConnection: close",
        b"connection: , ,close",
    ],
)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_any_close_among_the_options_of_connection_closes_it(site: Site, version: bytes, lines: bytes) -> None:
    head = b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n\r\n" % (version, lines)
    assert site.answers(head + GET) == [b"HTTP/%b 200 OK" % version]


@pytest.mark.parametrize("lines", [b"X: close", b"Connection: closed", b"Connection: x-close", b"Connection: TE"])
def test_other_options_keep_a_connection_of_http_1_1(site: Site, lines: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % lines
    assert site.answers(head + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) == [b"HTTP/1.1 200 OK"] * 2


@pytest.mark.parametrize(("options", "answers"), [("keep-alive", 2), ("Keep-Alive", 2), ("TE", 1), ("", 1)])
def test_a_connection_of_http_1_0_is_kept_when_it_asks_for_that(site: Site, options: str, answers: int) -> None:
    head = f"GET / HTTP/1.0\r\nConnection: {options}\r\n\r\n".encode()
    assert site.answers(head + b"GET / HTTP/1.0\r\n\r\n") == [b"HTTP/1.0 200 OK"] * answers
