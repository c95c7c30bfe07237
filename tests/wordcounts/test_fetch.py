"""Fetching from ordinary servers: what is a page and what is not, and redirects."""

import gzip

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import MAX_BYTES, FetchedPage, fetch
from tests.wordcounts.page_server import Answer, PageServer, answering, page, redirect
from tests.wordcounts.page_server import failure as failure_of


def fetched(answer: Answer) -> FetchedPage:
    with answering(answer) as server:
        return fetch(server.url(), allowed_servers=server.allowed)


def failure(answer: Answer) -> FetchFailed:
    with answering(answer) as server:
        return failure_of(server)


def test_it_works() -> None:
    with answering(page("<p>안녕, world</p>".encode())) as server:
        found = fetch(f"{server.url()}#part", allowed_servers=server.allowed)
        assert found == FetchedPage(server.url(), "<p>안녕, world</p>", is_html=True)


def test_it_names_itself_and_sends_no_cookie_and_no_proxy_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://u:p@127.0.0.1:9/")
    cookie = ("Set-Cookie: a=b; Path=/", "Location: /b")
    with PageServer({"/a?q=%ED%95%9C": page(b"", *cookie, status="302 Found"), "/b": page(b"a")}) as server:
        fetch(server.url("/a?q=한"), allowed_servers=server.allowed)
        first, second = server.requests
        assert first.splitlines()[0] == "GET /a?q=%ED%95%9C HTTP/1.1"
        assert second.splitlines() == [
            "GET /b HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            "User-Agent: Semicircle-WordCount/1.0 (one page, asked for by a reader)",
            "Accept: text/html,application/xhtml+xml,text/plain;q=0.9",
            "Accept-Language: ko,en;q=0.8",
            "Accept-Encoding: gzip",
            "Connection: close",
            "",
        ]


@pytest.mark.parametrize(
    "answer",
    [
        page(b"words", "Content-Length: 5"),
        page(b"2\r\nwo\r\n3\r\nrds\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        page(gzip.compress(b"words"), "Content-Encoding: gzip"),
        page(gzip.compress(b"wo") + gzip.compress(b"rds"), "Content-Encoding: GZIP"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + page(b"words"),
        b"HTTP/1.0 200\r\ncontent-type:text/html\r\n\r\nwords",
        page(b"words and more", "Content-Length: 5"),
    ],
)
def test_ways_to_send_a_page(answer: bytes) -> None:
    assert fetched(answer).text == "words"


@pytest.mark.parametrize(
    ("content_type", "body", "is_html"),
    [
        ("text/html", b"a", True),
        ("application/xhtml+xml", b"a", True),
        ("text/plain", b"<html>", False),
        ("", b"<!doctype html>", True),
        ("", b"just words", False),
    ],
)
def test_content_types_that_are_pages(content_type: str, body: bytes, is_html: bool) -> None:
    assert fetched(page(body, f"Content-Type: {content_type}")).is_html is is_html


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/pdf", b"%PDF-1.7"),
        ("image/svg+xml", b"<svg>"),
        ("text/html2", b"<p>"),
        ("multipart/mixed; boundary=text/html", b"a"),
        ("", b"%PDF-1.7"),
    ],
)
def test_content_types_that_are_not_pages(content_type: str, body: bytes) -> None:
    assert failure(page(body, f"Content-Type: {content_type}")).code is Failure.CONTENT_TYPE


def test_korean_in_cp949_is_decoded() -> None:
    found = fetched(page("<p>똠방각하 펲시</p>".encode("cp949"), "Content-Type: text/html; charset=euc-kr"))
    assert found.text == "<p>똠방각하 펲시</p>"


@pytest.mark.parametrize(
    ("status", "code", "is_transient"),
    [
        ("404 Not Found", Failure.HTTP_4XX, False),
        ("408 Request Timeout", Failure.HTTP_4XX, True),
        ("429 Too Many Requests", Failure.HTTP_4XX, True),
        ("500 Internal Server Error", Failure.HTTP_5XX, True),
        ("101 Switching Protocols", Failure.EMPTY, False),
        ("204 No Content", Failure.EMPTY, False),
        ("302 Found", Failure.EMPTY, False),  # without a Location
        ("600 Nothing", Failure.EMPTY, False),
        ("099 Nothing", Failure.NETWORK, False),
    ],
)
def test_a_status_that_is_not_a_page(status: str, code: Failure, is_transient: bool) -> None:
    refusal = failure(page(b"words", status=status))
    assert (refusal.code, refusal.is_transient, str(refusal)) == (code, is_transient, code)


def test_a_page_of_max_bytes_is_read_and_one_byte_more_is_refused() -> None:
    for headers, pack in (((), bytes), (("Content-Encoding: gzip",), gzip.compress)):
        assert len(fetched(page(pack(b"a" * MAX_BYTES), *headers)).text) == MAX_BYTES
        assert failure(page(pack(b"a" * (MAX_BYTES + 1)), *headers)).code is Failure.TOO_LARGE


def test_an_empty_page_is_refused() -> None:
    assert failure(page(b"")).code is Failure.EMPTY
    assert failure(page(gzip.compress(b""), "Content-Encoding: gzip")).code is Failure.EMPTY


def test_it_follows_five_redirects_and_no_sixth() -> None:
    statuses = ("302 A", "301 A", "302 A", "303 A", "307 A", "308 A")
    hops: dict[str, Answer] = {f"/{n}": redirect(f"{n + 1}", status) for n, status in enumerate(statuses)}
    with PageServer({**hops, "/6": page(b"there")}) as server:
        assert fetch(server.url("/1"), allowed_servers=server.allowed) == FetchedPage(
            server.url("/6"), "there", is_html=True
        )
        refusal = failure_of(server, server.url("/0"))
        assert (refusal.code, refusal.is_transient) == (Failure.REDIRECTS, False)
        assert len(server.requests) == 6 + 6


@pytest.mark.parametrize("location", ["/한".encode(), "/%ED%95%9C", "?/../한#a"])
def test_it_follows_redirects_to_korean_paths(location: str | bytes) -> None:
    pages: dict[str, Answer] = dict.fromkeys(["/%ED%95%9C", "/?/../%ED%95%9C"], page(b"there"))
    with PageServer({"/": redirect(location), **pages}) as server:
        assert fetch(server.url(), allowed_servers=server.allowed).text == "there"


def test_the_bytes_of_a_redirect_in_another_charset_are_kept() -> None:
    with PageServer({"/": redirect("/한".encode("cp949")), "/%C7%D1": page(b"there")}) as server:
        assert fetch(server.url(), allowed_servers=server.allowed).text == "there"
