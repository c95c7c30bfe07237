"""The chunked transfer coding is read by its grammar alone: what another parser reads otherwise is refused."""

import pytest
from gunicorn.http.errors import ParseException

from http_server.chunked_body import ChunkedDecoder
from tests.http_server.malformed_chunks import MALFORMED

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


@pytest.mark.parametrize(("body", "content"), WELL_FORMED.values(), ids=WELL_FORMED)
@pytest.mark.parametrize("step", [1, 1000], ids=["byte by byte", "at once"])
def test_a_well_formed_body_is_decoded_to_its_last_byte(body: bytes, content: bytes, step: int) -> None:
    decoder = ChunkedDecoder()
    assert decode(decoder, body, step) == content
    assert decoder.is_complete


def test_a_long_body_may_have_more_framing() -> None:
    decoder = ChunkedDecoder()
    assert decoder.decode((b"40\r\n" + b"x" * 64 + b"\r\n") * 4000 + b"0\r\n\r\n") == b"x" * 256_000
    assert decoder.is_complete


@pytest.mark.parametrize(("body", "content"), WELL_FORMED.values(), ids=WELL_FORMED)
def test_what_follows_is_the_next_request(body: bytes, content: bytes) -> None:
    decoder = ChunkedDecoder()
    assert decoder.decode(body + NEXT) == content
    assert decoder.surplus == NEXT


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("step", [1, 100_000], ids=["byte by byte", "at once"])
def test_a_malformed_body_is_refused_and_has_no_end(body: bytes, step: int) -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(ParseException):
        decode(decoder, body, step)
    assert not decoder.is_complete
    assert decoder.surplus == b""


@pytest.mark.parametrize("body", [body for body, _ in WELL_FORMED.values()], ids=WELL_FORMED)
def test_a_body_without_its_last_byte_has_no_end(body: bytes) -> None:
    decoder = ChunkedDecoder()
    decoder.decode(body[:-1])
    assert not decoder.is_complete
