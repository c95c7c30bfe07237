"""Servers that lie and flood: what it comes to, and that every connection is hung up."""

import itertools

import pytest

from app.wordcounts.fetch import Code, fetch
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.fetch_outcomes import failure, hung_up
from tests.wordcounts.hostile_answers import pour
from tests.wordcounts.page_server import Answer, PageServer, answering, page, redirect

WITHOUT_END = itertools.repeat


@pytest.mark.parametrize(
    ("answer", "code", "may_pass"),
    [
        pytest.param(pour(page(b""), WITHOUT_END(b"a" * 65536)), Code.TOO_LARGE, False, id="endless body"),
        pytest.param(
            pour(page(b"", "Transfer-Encoding: chunked"), WITHOUT_END(b"100\r\n" + b"a" * 256 + b"\r\n")),
            Code.TOO_LARGE,
            False,
            id="endless small chunks",
        ),
        pytest.param(page(b"short", "Content-Length: 100"), Code.NETWORK, True, id="short body"),
        pytest.param(
            page(b"5\r\nshort\r\n", "Transfer-Encoding: chunked"), Code.NETWORK, True, id="a chunk is missing"
        ),
        pytest.param(page(b"5\r\nsho", "Transfer-Encoding: chunked"), Code.NETWORK, True, id="short chunk"),
        pytest.param(page(b"zz\r\na", "Transfer-Encoding: chunked"), Code.NETWORK, True, id="no size of a chunk"),
        pytest.param(page(b"a", "Content-Length: 1, 2"), Code.NETWORK, False, id="two lengths"),
        pytest.param(pour(b"HTTP/1.1 200 OK\r\n", WITHOUT_END(b"A: b\r\n")), Code.NETWORK, False, id="endless headers"),
        pytest.param(pour(b"HTTP/1.1 200 OK\r\nA: ", WITHOUT_END(b"b")), Code.NETWORK, False, id="endless header"),
        pytest.param(pour(b"", WITHOUT_END(b"HTTP")), Code.NETWORK, False, id="endless status line"),
        pytest.param(redirect("/" + "a" * 70_000), Code.NETWORK, False, id="endless redirect"),
        pytest.param(redirect("/" + "a" * 60_000), Code.URL, False, id="long redirect"),
        pytest.param(redirect("/a\r\n b"), Code.URL, False, id="redirect in two lines"),
        pytest.param(redirect("/a b"), Code.URL, False, id="redirect with a space"),
        pytest.param(redirect(b"/\x00"), Code.URL, False, id="redirect with a zero"),
        pytest.param(redirect(b"http://\xff/"), Code.URL, False, id="redirect to no letters"),
        pytest.param(b"", Code.NETWORK, True, id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", Code.NETWORK, False, id="not HTTP"),
        pytest.param(b"\x15\x03\x03\0\x02\x02\x46", Code.NETWORK, False, id="TLS on a plain port"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", Code.NETWORK, False, id="no status"),
        pytest.param(page(b"a", "Transfer-Encoding: gzip, chunked"), Code.ENCODING, False, id="packed in transfer"),
        pytest.param(page(b"no gzip", "Content-Encoding: gzip"), Code.ENCODING, False, id="no gzip"),
        *(
            pytest.param(page(b"a", f"Content-Encoding: {encoding}"), Code.ENCODING, False, id=f"encoding {encoding}")
            for encoding in ("br", "zstd", "deflate", "compress", "gzip, br", "gzip,gzip", "aes128gcm", "gzip;q=1", "*")
        ),
    ],
)
def test_what_broken_and_hostile_answers_come_to(answer: Answer, code: Code, may_pass: bool) -> None:
    with answering(answer) as server:
        refusal = failure(server)
        assert (refusal.code, refusal.may_pass) == (code, may_pass)


def test_it_hangs_up_after_a_page_and_on_every_hop() -> None:
    for ending in (page(b"a", "Content-Length: 1", "Connection: keep-alive"), page(b"a")):
        with PageServer({"/": redirect("/there"), "/there": ending}) as server:
            fetch(server.url(), allowed_servers=server.allowed)
            hung_up(server)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", Code.ADDRESS),
        ("http://[::1]/", Code.ADDRESS),
        ("http://[::ffff:169.254.169.254]/", Code.ADDRESS),
        ("//0x7f.1/", Code.ADDRESS),
        ("http://127.0.0.2:{port}/", Code.PORT),
        ("http://127.0.0.1:22/", Code.PORT),
        ("http://a@127.0.0.1:{port}/", Code.CREDENTIALS),
        ("file:///etc/passwd", Code.SCHEME),
        ("ftp://127.0.0.1:{port}/", Code.SCHEME),
        ("http://page.test:{port}/", Code.PORT),
    ],
)
def test_it_is_not_led_astray(resolve_by: Resolver, location: str, code: Code) -> None:
    resolve_by(lambda host: ["8.8.8.8"])
    pages: dict[str, Answer] = {}
    with PageServer(pages) as server:
        pages["/"] = redirect(location.format(port=server.port))
        assert failure(server).code is code


def test_a_name_that_changes_its_address_between_hops_is_vetted_anew(resolve_by: Resolver) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1", "10.0.0.1"]])
    asked = resolve_by(lambda host: next(answers))
    with answering(redirect("/again")) as server:
        assert failure(server, server.url(host="page.test")).code is Code.PORT
        assert len(server.requests) == 1
    assert asked == ["page.test"] * 2
