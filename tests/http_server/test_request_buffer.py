"""Request buffering: a request is complete with its last byte, and never before."""

from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import (
    InvalidHeader,
    InvalidRequestLine,
    LimitRequestHeaders,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)

from http_server.body_limits import BodyLimits
from http_server.request_buffer import Part, RequestBuffer
from tests.http_server.malformed_chunks import MALFORMED

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


def headers(buffer: RequestBuffer) -> dict[str, str]:
    return dict(buffer.request.headers)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(GET, b""), (POST, b"hello"), (TRAP, b"1\r\n0\r\n\r\n22")],
    ids=["none", "length", "chunked"],
)
def test_a_request_is_complete_with_its_last_byte_only(buffer: RequestBuffer, request_: bytes, expected: bytes) -> None:
    for byte in request_[:-1]:
        buffer.feed(bytes([byte]))
        assert buffer.missing is not Part.NOTHING
    buffer.feed(request_[-1:])
    assert buffer.missing is Part.NOTHING
    assert body(buffer) == expected
    assert not buffer.is_cut


@pytest.mark.parametrize("request_", [GET, POST, TRAP])
def test_what_follows_belongs_to_the_next_request(buffer: RequestBuffer, request_: bytes) -> None:
    buffer.feed(request_ + POST)
    assert buffer.missing is Part.NOTHING
    assert buffer.surplus == POST


def test_a_body_over_the_limit_is_not_waited_for_and_its_connection_is_not_used_again(buffer: RequestBuffer) -> None:
    buffer.feed(POST.replace(b"5", b"1001"))
    assert buffer.missing is Part.NOTHING
    assert buffer.is_cut
    assert buffer.request.should_close()


def test_chunks_over_the_limit_are_not_waited_for_either(buffer: RequestBuffer) -> None:
    buffer.feed(CHUNKED + (b"64\r\n" + b"x" * 100 + b"\r\n") * 11)
    assert buffer.missing is Part.NOTHING
    assert buffer.is_cut


def test_a_chunked_body_over_the_limit_is_declared_longer_than_the_limit(buffer: RequestBuffer) -> None:
    """Also where most of it is framing. By its length the application refuses it."""
    buffer.feed(CHUNKED + b"1;%s\r\nx\r\n" % (b"a" * 50) * 20)
    assert buffer.is_cut
    assert int(headers(buffer)["CONTENT-LENGTH"]) > LIMIT


def test_the_application_gets_a_chunked_body_with_its_length(buffer: RequestBuffer) -> None:
    buffer.feed(TRAP)
    assert headers(buffer) == {"HOST": "a", "CONTENT-LENGTH": "10"}


@pytest.mark.parametrize("framing", MALFORMED.values(), ids=MALFORMED)
def test_neither_a_malformed_body_nor_what_follows_is_a_request(buffer: RequestBuffer, framing: bytes) -> None:
    with pytest.raises(ParseException):
        buffer.feed(CHUNKED + framing + GET)
    assert buffer.missing is not Part.NOTHING
    assert buffer.surplus == b""


@pytest.mark.parametrize("codings", [b"gzip, chunked", b"identity, chunked", b"gzip\r\nTransfer-Encoding: chunked"])
def test_another_transfer_coding_is_refused(buffer: RequestBuffer, codings: bytes) -> None:
    with pytest.raises(UnsupportedTransferCoding):
        buffer.feed(CHUNKED.replace(b"chunked", codings) + b"0\r\n\r\n")


@pytest.mark.parametrize("length", [b"+5", b"0x5", b"5_0", b"-5", b"5, 5", b"5\r\nContent-Length: 5", b"\xb2", b""])
def test_a_length_that_is_no_number_is_refused(buffer: RequestBuffer, length: bytes) -> None:
    with pytest.raises(InvalidHeader):
        buffer.feed(POST.replace(b"5", length))


def test_headers_without_an_end_are_refused_at_a_limit(buffer: RequestBuffer) -> None:
    with pytest.raises(LimitRequestHeaders):
        buffer.feed(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)


@pytest.mark.parametrize("head", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"\r\n\r\n"])
def test_what_is_no_request_is_refused_by_the_parser(buffer: RequestBuffer, head: bytes) -> None:
    with pytest.raises((InvalidRequestLine, NoMoreData)):
        buffer.feed(head)
