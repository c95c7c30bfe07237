"""Servers that lie and flood: what it comes to, and that every connection is hung up."""

import itertools

import pytest

from app.wordcounts.failures import Failure
from app.wordcounts.fetching import fetch
from tests.wordcounts.fetch_outcomes import failure, hung_up
from tests.wordcounts.hostile_answers import pour
from tests.wordcounts.page_server import Answer, PageServer, answering, page, redirect

WITHOUT_END = itertools.repeat


@pytest.mark.parametrize(
    ("answer", "code", "is_transient"),
    [
        pytest.param(pour(page(b""), WITHOUT_END(b"a" * 65536)), Failure.TOO_LARGE, False, id="endless body"),
        pytest.param(
            pour(page(b"", "Transfer-Encoding: chunked"), WITHOUT_END(b"100\r\n" + b"a" * 256 + b"\r\n")),
            Failure.TOO_LARGE,
            False,
            id="endless small chunks",
        ),
        pytest.param(page(b"short", "Content-Length: 100"), Failure.NETWORK, True, id="short body"),
        pytest.param(
            page(b"5\r\nshort\r\n", "Transfer-Encoding: chunked"), Failure.NETWORK, True, id="a chunk is missing"
        ),
        pytest.param(page(b"5\r\nsho", "Transfer-Encoding: chunked"), Failure.NETWORK, True, id="short chunk"),
        pytest.param(page(b"zz\r\na", "Transfer-Encoding: chunked"), Failure.NETWORK, True, id="no size of a chunk"),
        pytest.param(page(b"a", "Content-Length: 1, 2"), Failure.NETWORK, False, id="two lengths"),
        pytest.param(
            pour(b"HTTP/1.1 200 OK\r\n", WITHOUT_END(b"A: b\r\n")), Failure.NETWORK, False, id="endless headers"
        ),
        pytest.param(pour(b"HTTP/1.1 200 OK\r\nA: ", WITHOUT_END(b"b")), Failure.NETWORK, False, id="endless header"),
        pytest.param(pour(b"", WITHOUT_END(b"HTTP")), Failure.NETWORK, False, id="endless status line"),
        pytest.param(redirect("/" + "a" * 70_000), Failure.NETWORK, False, id="endless redirect"),
        pytest.param(redirect("/" + "a" * 60_000), Failure.URL, False, id="long redirect"),
        pytest.param(redirect("/a\r\n b"), Failure.URL, False, id="redirect in two lines"),
        pytest.param(redirect("/a b"), Failure.URL, False, id="redirect with a space"),
        pytest.param(redirect(b"/\x00"), Failure.URL, False, id="redirect with a zero"),
        pytest.param(redirect(b"http://\xff/"), Failure.URL, False, id="redirect to no letters"),
        pytest.param(b"", Failure.NETWORK, True, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", Failure.NETWORK, False, id="not HTTP"),
        pytest.param(b"\x15\x03\x03\0\x02\x02\x46", Failure.NETWORK, False, id="TLS on a plain port"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", Failure.NETWORK, False, id="no status"),
        pytest.param(page(b"a", "Transfer-Encoding: gzip, chunked"), Failure.ENCODING, False, id="packed in transfer"),
        pytest.param(page(b"no gzip", "Content-Encoding: gzip"), Failure.ENCODING, False, id="no gzip"),
        *(
            pytest.param(
                page(b"a", f"Content-Encoding: {encoding}"), Failure.ENCODING, False, id=f"encoding {encoding}"
            )
            for encoding in ("br", "zstd", "deflate", "compress", "gzip, br", "gzip,gzip", "aes128gcm", "gzip;q=1", "*")
        ),
    ],
)
def test_what_broken_and_hostile_answers_come_to(answer: Answer, code: Failure, is_transient: bool) -> None:
    with answering(answer) as server:
        refusal = failure(server)
        assert (refusal.code, refusal.is_transient) == (code, is_transient)


def test_it_hangs_up_after_a_page_and_on_every_hop() -> None:
    for ending in (page(b"a", "Content-Length: 1", "Connection: keep-alive"), page(b"a")):
        with PageServer({"/": redirect("/there"), "/there": ending}) as server:
            fetch(server.url(), allowed_servers=server.allowed)
            hung_up(server)
