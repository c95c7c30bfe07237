"""The chunked transfer coding is read by its grammar alone: what another parser reads otherwise is refused."""

import pytest
from gunicorn.http.errors import ParseException

from http_server.chunked_body import ChunkedDecoder

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
