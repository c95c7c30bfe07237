"""Limits of request bodies: what the head alone refuses, and how many long bodies a process takes at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config

from http_server.body_limits import LONG, MOST_LONG, BodyLimits
from http_server.refusals import TooManyUploads
from http_server.request_buffer import Part, RequestBuffer

LIMIT = 2 * LONG
LONG_POST = b"POST /import HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (LONG + 1)
CHUNKED = b"POST /import HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (2**20, bytes(2**20))


class Buffers:
    """Requests of one process."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.made: list[RequestBuffer] = []
        self._limits = BodyLimits(self._limit_of)

    def _limit_of(self, environ: dict[str, Any]) -> int:
        self.asked.append(environ)
        return LIMIT

    def begun(self, data: bytes) -> RequestBuffer:
        buffer = RequestBuffer(Config(), ("127.0.0.1", 1), self._limits)
        self.made.append(buffer)
        buffer.feed(data)
        return buffer


@pytest.fixture
def buffers() -> Iterator[Buffers]:
    buffers = Buffers()
    yield buffers
    for buffer in buffers.made:
        buffer.close()


def test_the_application_is_asked_with_the_head_before_the_body_comes(buffers: Buffers) -> None:
    head = b"POST /a%20b?c HTTP/1.1\r\nHost: a\r\nCookie: x=1\r\nCookie: y=2\r\nAuthorization: Bearer z\r\n"
    assert buffers.begun(head + b"Content-Length: 5\r\n\r\n").missing is Part.BODY
    whose = {"HTTP_COOKIE": "x=1; y=2", "HTTP_AUTHORIZATION": "Bearer z"}
    assert buffers.asked == [{"REQUEST_METHOD": "POST", "PATH_INFO": "/a b", **whose}]


def test_a_request_without_a_body_asks_nothing(buffers: Buffers) -> None:
    buffers.begun(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    assert buffers.asked == []


def test_one_long_body_more_than_there_is_room_for_is_refused_by_its_head(buffers: Buffers) -> None:
    for _ in range(MOST_LONG):
        assert buffers.begun(LONG_POST).missing is Part.BODY
    with pytest.raises(TooManyUploads):
        buffers.begun(LONG_POST)


def test_a_chunked_body_is_refused_as_soon_as_it_is_long(buffers: Buffers) -> None:
    for _ in range(MOST_LONG):
        buffers.begun(LONG_POST)
    chunked = buffers.begun(CHUNKED)
    for _ in range(LONG // 2**20 - 1):
        chunked.feed(CHUNK)
    with pytest.raises(TooManyUploads):
        chunked.feed(CHUNK * 2)


def test_a_refused_one_takes_no_room_and_each_place_is_given_back_once(buffers: Buffers) -> None:
    for _ in range(MOST_LONG):
        buffers.begun(LONG_POST)
    with pytest.raises(TooManyUploads):
        buffers.begun(LONG_POST)
    buffers.made[-1].close()
    with pytest.raises(TooManyUploads):
        buffers.begun(LONG_POST)
    buffers.made[0].close()
    buffers.made[0].close()
    buffers.begun(LONG_POST)
    with pytest.raises(TooManyUploads):
        buffers.begun(LONG_POST)


def test_short_bodies_and_those_over_the_limit_take_no_room(buffers: Buffers) -> None:
    for _ in range(MOST_LONG + 1):
        buffers.begun(LONG_POST.replace(b"%d" % (LONG + 1), b"%d" % LONG))
        assert buffers.begun(LONG_POST.replace(b"%d" % (LONG + 1), b"%d" % (LIMIT + 1))).is_cut
    for _ in range(MOST_LONG):
        buffers.begun(LONG_POST)
