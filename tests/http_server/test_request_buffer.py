"""Request buffering: a request is complete with its last byte, and never before; what is malformed is refused."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.errors import InvalidHeader, ParseException

from http_server.chunked_body import ChunkedDecoder
from http_server.refusals import TooManyUploads, VersionNotSupported
from http_server.request_buffer import LONG, MOST_LONG, BodyLimits, Part, RequestBuffer

LIMIT = 1000  # bytes of a body
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
# The data of the chunk looks like the end of a body.
TRAP = CHUNKED + b"a;x=y\r\n1\r\n0\r\n\r\n22\r\n0\r\nX: t\r\n\r\n"


@pytest.fixture
def buffer() -> Iterator[RequestBuffer]:
    empty = RequestBuffer(Config(), ("127.0.0.1", 1), BodyLimits(lambda _: LIMIT))
    yield empty
    empty.close()


def body(buffer: RequestBuffer) -> bytes:
    read: bytes = buffer.request.body.read()
    return read


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(GET, b""), (POST, b"hello"), (TRAP, b"1\r\n0\r\n\r\n22")],
    ids=["none", "length", "chunked"],
)
def test_what_follows_a_requests_last_byte_is_the_next(buffer: RequestBuffer, request_: bytes, expected: bytes) -> None:
    for byte in request_[:-1]:
        buffer.feed(bytes([byte]))
        assert buffer.missing is not Part.NOTHING
    buffer.feed(request_[-1:] + POST)
    assert buffer.missing is Part.NOTHING
    assert body(buffer) == expected
    assert (buffer.is_cut, buffer.surplus) == (False, POST)


def test_a_body_over_the_limit_is_not_waited_for_and_its_connection_is_not_used_again(buffer: RequestBuffer) -> None:
    buffer.feed(POST.replace(b"5", b"1001"))
    assert buffer.missing is Part.NOTHING
    assert buffer.is_cut
    assert buffer.request.should_close()


@pytest.mark.parametrize(
    "chunks", [(b"64\r\n" + b"x" * 100 + b"\r\n") * 11, b"1;%s\r\nx\r\n" % (b"a" * 50) * 20], ids=["content", "framing"]
)
def test_chunks_over_the_limit_are_not_waited_for_and_declared_longer(buffer: RequestBuffer, chunks: bytes) -> None:
    """By its length the application refuses the body."""
    buffer.feed(CHUNKED + chunks)
    assert (buffer.missing, buffer.is_cut) == (Part.NOTHING, True)
    assert int(dict(buffer.request.headers)["CONTENT-LENGTH"]) > LIMIT


def test_the_application_gets_a_chunked_body_with_its_length(buffer: RequestBuffer) -> None:
    buffer.feed(TRAP)
    assert dict(buffer.request.headers) == {"HOST": "a", "CONTENT-LENGTH": "10"}


def test_neither_a_malformed_body_nor_what_follows_is_a_request(buffer: RequestBuffer) -> None:
    with pytest.raises(ParseException):
        buffer.feed(CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n" + GET)
    assert buffer.missing is not Part.NOTHING
    assert buffer.surplus == b""


@pytest.mark.parametrize("codings", [b"gzip, chunked", b"gzip\r\nTransfer-Encoding: chunked"])
def test_another_transfer_coding_is_refused(buffer: RequestBuffer, codings: bytes) -> None:
    with pytest.raises(errors.UnsupportedTransferCoding):
        buffer.feed(CHUNKED.replace(b"chunked", codings) + b"0\r\n\r\n")


@pytest.mark.parametrize("length", [b"+5", b"5, 5", b"5\r\nContent-Length: 5", b"\xb2", b""])
def test_a_length_that_is_no_number_is_refused(buffer: RequestBuffer, length: bytes) -> None:
    with pytest.raises(InvalidHeader):
        buffer.feed(POST.replace(b"5", length))


def test_headers_without_an_end_are_refused_at_a_limit(buffer: RequestBuffer) -> None:
    with pytest.raises(errors.LimitRequestHeaders):
        buffer.feed(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"\r\n\r\n"])
def test_what_is_no_request_is_refused_by_the_parser(buffer: RequestBuffer, head: bytes) -> None:
    with pytest.raises((errors.InvalidRequestLine, errors.NoMoreData)):
        buffer.feed(head)


def fed(head: bytes) -> Any:
    """Return what gunicorn's parser made of the head."""
    with closing(RequestBuffer(Config(), ("127.0.0.1", 1), BodyLimits(lambda _: LIMIT))) as buffer:
        buffer.feed(head)
        return buffer.request


def test_another_version_than_1_0_and_1_1_is_refused() -> None:
    for line in ("GET / HTTP/0.9", "GET / HTTP/1.2", "GET / HTTP/1.10", "GET / HTTP/01.1", "PRI * HTTP/2.0"):
        with pytest.raises(VersionNotSupported):
            fed(f"{line}\r\nHost: a\r\n\r\n".encode())
    for line in ("GET /", "GET / http/1.1", "GET / HTTP/1.1 ", "GET / HTTP/x", "GET / x HTTP/1.1", "GET / HTP/1.1"):
        with pytest.raises(ParseException):  # it names no version
            fed(f"{line}\r\nHost: a\r\n\r\n".encode())


def test_a_request_has_one_valid_host() -> None:
    for wrong in ("a b", "a/b", "a@b", "a:b", "[::1", "::1", "a%zz", "é", "a\r\nHost: a"):
        for version in ("1.0", "1.1"):
            with pytest.raises(InvalidHeader):
                fed(f"GET / HTTP/{version}\r\nHost: {wrong}\r\n\r\n".encode())
    with pytest.raises(InvalidHeader):
        fed(b"GET / HTTP/1.1\r\n\r\n")
    fed(b"GET / HTTP/1.0\r\n\r\n")
    for host in ("", "A.example", "a:8000", "a:", "127.0.0.1", "[::1]:80", "x_y.example", "%ea"):
        fed(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_is_closed_by_close_among_its_options_and_kept_by_others(version: str) -> None:
    def closes(lines: str) -> bool:
        return bool(fed(f"GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n\r\n".encode()).should_close())

    closing = ("CLOSE", "TE, close", "keep-alive,\tClose ,", "keep-alive\r\nX: y\r\nConnection: close", ", ,close")
    assert [options for options in closing if not closes(f"Connection: {options}")] == []
    assert not closes("Connection: Keep-Alive")
    for lines in ("X: close", "Connection: closed", "Connection: x-close", "Connection: TE"):
        assert closes(lines) == (version == "1.0"), lines


LONG_LIMIT = 2 * LONG
LONG_POST = b"POST /import HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (LONG + 1)
LONG_CHUNKED = b"POST /import HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n" % (2**20, bytes(2**20))


class Buffers:
    """Hold the requests of one process."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.made: list[RequestBuffer] = []
        self._limits = BodyLimits(self._limit_of)

    def _limit_of(self, environ: dict[str, Any]) -> int:
        self.asked.append(environ)
        return LONG_LIMIT

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
    buffers.begun(GET)  # without a body, so it asks nothing
    head = b"POST /a%20b?c HTTP/1.1\r\nHost: a\r\nCookie: x=1\r\nCookie: y=2\r\nAuthorization: Bearer z\r\n"
    assert buffers.begun(head + b"Content-Length: 5\r\n\r\n").missing is Part.BODY
    whose = {"HTTP_COOKIE": "x=1; y=2", "HTTP_AUTHORIZATION": "Bearer z"}
    assert buffers.asked == [{"REQUEST_METHOD": "POST", "PATH_INFO": "/a b", **whose}]


def test_a_chunked_body_is_refused_as_soon_as_it_is_long(buffers: Buffers) -> None:
    for _ in range(MOST_LONG):
        buffers.begun(LONG_POST)
    chunked = buffers.begun(LONG_CHUNKED)
    for _ in range(LONG // 2**20 - 1):
        chunked.feed(CHUNK)
    with pytest.raises(TooManyUploads):
        chunked.feed(CHUNK * 2)


def test_one_long_body_too_many_is_refused_takes_no_room_and_each_place_is_given_back_once(buffers: Buffers) -> None:
    for _ in range(MOST_LONG):
        assert buffers.begun(LONG_POST).missing is Part.BODY
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
        assert buffers.begun(LONG_POST.replace(b"%d" % (LONG + 1), b"%d" % (LONG_LIMIT + 1))).is_cut
    for _ in range(MOST_LONG):
        buffers.begun(LONG_POST)


MALFORMED = {
    "hexadecimal prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "plus sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "space behind the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "extension without a size": b";a\r\nabc\r\n0\r\n\r\n",
    "digits of another script": "٣\r\nabc\r\n0\r\n\r\n".encode(),
    "over 64 bits": b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n",
    "size ends with LF": b"3\nabc\r\n0\r\n\r\n",
    "size ends with CRCRLF": b"3\r\r\nabc\r\n0\r\n\r\n",
    "data ends with LF": b"3\r\nabc\n0\r\n\r\n",
    "data ends with other bytes": b"3\r\nabcXX0\r\n\r\n",
    "LF in an extension": b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "NUL in an extension": b"3;a\0\r\nabc\r\n0\r\n\r\n",
    "extension without a name": b"3;\r\nabc\r\n0\r\n\r\n",
    "extension's quotes are open": b'3;a="b\r\nabc\r\n0\r\n\r\n',
    "line without an end": b"3;" + b"a" * 5000,
    "extensions are too long together": b"3;%s\r\nabc\r\n" % (b"a" * 4000) * 5 + b"0\r\n\r\n",
    "chunks of one byte": b"1\r\na\r\n" * 4000 + b"0\r\n\r\n",
    "last chunk ends with LF": b"0\n\r\n",
    "body ends with LF": b"0\r\n\n",
    "body ends with CR and other bytes": b"0\r\n\rX\r\n\r\n",
    "trailer ends with LF": b"0\r\nX: y\n\r\n",
    "trailer without a colon": b"0\r\nGET / HTTP/1.1\r\n\r\n",
    "trailer without a name": b"0\r\n: y\r\n\r\n",
    "space before a trailer's colon": b"0\r\nX : y\r\n\r\n",
    "folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
    "NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
    "trailer is too long": b"0\r\nX: " + b"y" * 5000 + b"\r\n\r\n",
    "trailers are too long": b"0\r\n" + b"X: yyyyyyyyyyyy\r\n" * 1200 + b"\r\n",
}


NEXT = b"GET /next HTTP/1.1\r\n"
WELL_FORMED = {
    "empty": (b"0\r\n\r\n", b""),
    "one chunk": (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    "both cases, leading zeros": (b"00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", b"01234567890123456789"),
    "line breaks in the data": (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n"),
    "extensions": (b'3 ; a = b;c="d;e"\r\nabc\r\n0;f\r\n\r\n', b"abc"),
    "trailers": (b"3\r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n", b"abc"),
}


def decode(decoder: ChunkedDecoder, body: bytes, step: int) -> bytes:
    """Feed a body in pieces of `step` bytes."""
    return b"".join(decoder.decode(body[at : at + step]) for at in range(0, len(body), step))


def test_a_well_formed_body_ends_with_its_last_byte_and_what_follows_is_the_next_request() -> None:
    for name, (body, content) in WELL_FORMED.items():
        by_byte, at_once = ChunkedDecoder(), ChunkedDecoder()
        begun = decode(by_byte, body[:-1], 1)
        assert not by_byte.is_complete, name
        assert begun + by_byte.decode(body[-1:]) == content, name
        assert by_byte.is_complete, name
        assert at_once.decode(body + NEXT) == content, name
        assert (at_once.is_complete, at_once.surplus) == (True, NEXT), name


def test_a_long_body_may_have_more_framing() -> None:
    decoder = ChunkedDecoder()
    assert decoder.decode((b"40\r\n" + b"x" * 64 + b"\r\n") * 4000 + b"0\r\n\r\n") == b"x" * 256_000
    assert decoder.is_complete


@pytest.mark.parametrize("step", [1, 100_000], ids=["byte by byte", "at once"])
def test_a_malformed_body_is_refused_and_has_no_end(step: int) -> None:
    taken = []
    for name, body in MALFORMED.items():
        decoder = ChunkedDecoder()
        try:
            decode(decoder, body, step)
        except ParseException:
            if decoder.is_complete or decoder.surplus:
                taken.append(f"{name}: refused, and has an end")
        else:
            taken.append(name)
    assert taken == []
