"""Fetching from ordinary servers: what is a page, redirects, host names, TLS; the character set, declared or not."""

import gzip
import socket
import ssl
from typing import Any

import pytest

from app.wordcounts.analysis.charset import decode, looks_like_html, looks_like_text, media_type
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import MAX_BYTES, FetchedPage
from config import DevelopmentConfig, ProductionConfig, StagingConfig
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.page_server import Answer, PageServer, answering, fetch, page, redirect, refusal, unresponsive
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


def test_it_names_itself_and_sends_no_proxy_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://u:p@127.0.0.1:9/")
    with PageServer({"/a?q=%ED%95%9C": redirect("/b"), "/b": page(b"a")}) as server:
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


def test_content_types_that_are_pages_and_that_are_not() -> None:
    html = (("text/html", b"a"), ("application/xhtml+xml", b"a"), ("", b"<!doctype html>"))
    for content_type, body in (*html, ("text/plain", b"<html>"), ("", b"just words")):
        is_html = (content_type, body) in html
        assert fetched(page(body, f"Content-Type: {content_type}")).is_html is is_html, content_type
    for content_type, body in (("application/pdf", b"%PDF-1.7"), ("text/html2", b"<p>"), ("", b"%PDF-1.7")):
        assert failure(page(body, f"Content-Type: {content_type}")).code is Failure.CONTENT_TYPE, content_type


# Set-Cookie headers of a redirect to the same page, and the cookies that come with the second request.
COOKIES = [
    (["seen=1; Path=/; HttpOnly"], "seen=1"),
    (["a=1", "b=2; SameSite=Lax"], "a=1; b=2"),
    (["한글=값"], "한글=값"),
    (["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], ""),
    (["a=1; Secure"], ""),
    (["a=1; Path=/elsewhere"], ""),
    (["a=1; Domain=example.com"], ""),
    (["a=b\r\n c"], "a=b c"),
    ([f"a{number}={'x' * 1000}" for number in range(17)], ""),
    (["", ";"], ""),
]


def test_a_redirect_to_itself_that_sets_a_cookie_ends_once_it_comes_back() -> None:
    for lines, sent in COOKIES:
        headers = "".join(f"Set-Cookie: {line}\r\n" for line in lines).encode()
        answers = [page(b"there"), b"HTTP/1.1 302 Found\r\nLocation: /\r\n" + headers + b"\r\n"]

        def answer(connection: socket.socket, answers: list[bytes] = answers) -> None:
            connection.sendall(answers.pop())

        with answering(answer) as server:
            assert fetch(server.url(), allowed_servers=server.allowed).text == "there"
            assert "Cookie" not in server.requests[0]
            found = [line for line in server.requests[1].splitlines() if line.startswith("Cookie: ")]
            assert found == ([f"Cookie: {sent}".encode().decode("latin-1")] if sent else []), lines


def test_no_other_host_and_no_other_visit_gets_a_cookie(resolve_by: Resolver) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    cookies = ("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Domain=page.test; Path=/")
    with PageServer({"/there": page(b"there")}) as server:
        for host in ("other.test", "sub.page.test", "page.test.example", "127.0.0.1"):
            to = f"Location: {server.url('/there', host)}"
            server.pages = {**server.pages, "/": page(b"", *cookies, to, status="302 Found")}
            assert fetch(server.url(host="page.test"), allowed_servers=server.allowed).text == "there"
        assert [head for head in server.requests if "Cookie" in head] == []


@pytest.mark.parametrize("encoding", ["x-gzip", "GZIP", "gzip, utf-8", "identity, x-gzip"])
def test_a_page_in_gzip_by_another_name_is_unpacked(encoding: str) -> None:
    assert fetched(page(gzip.compress("낱말".encode()), f"Content-Encoding: {encoding}")).text == "낱말"


@pytest.mark.parametrize("encoding", ["", "none", "None", "UTF-8", "utf8", "identity", "binary", "8bit", "a, b", "x"])
def test_what_is_called_an_encoding_and_is_none_is_left_as_it_is(encoding: str) -> None:
    assert fetched(page("낱말".encode(), f"Content-Encoding: {encoding}")).text == "낱말"
    if encoding not in ("", "identity"):
        for body in (gzip.compress(b"words"), b"%PDF-1.7", b"\0"):
            assert failure(page(body, f"Content-Encoding: {encoding}")).code is Failure.ENCODING


def test_korean_in_cp949_is_decoded() -> None:
    found = fetched(page("<p>똠방각하 펲시</p>".encode("cp949"), "Content-Type: text/html; charset=euc-kr"))
    assert found.text == "<p>똠방각하 펲시</p>"


@pytest.mark.parametrize(
    ("status", "code", "is_transient"),
    [
        ("404 Not Found", Failure.HTTP_4XX, False),
        ("408 Request Timeout", Failure.HTTP_4XX, True),
        ("500 Internal Server Error", Failure.HTTP_5XX, True),
        ("101 Switching Protocols", Failure.EMPTY, False),
        ("204 No Content", Failure.EMPTY, False),
        ("302 Found", Failure.EMPTY, False),  # without a Location
        ("099 Nothing", Failure.NETWORK, False),
    ],
)
def test_a_status_that_is_not_a_page(status: str, code: Failure, is_transient: bool) -> None:
    refused = failure(page(b"words", status=status))
    assert (refused.code, refused.is_transient, str(refused)) == (code, is_transient, code)


def test_a_page_of_max_bytes_is_read_and_one_byte_more_or_none_is_refused() -> None:
    for headers, pack in (((), bytes), (("Content-Encoding: gzip",), gzip.compress)):
        assert len(fetched(page(pack(b"a" * MAX_BYTES), *headers)).text) == MAX_BYTES
        assert failure(page(pack(b"a" * (MAX_BYTES + 1)), *headers)).code is Failure.TOO_LARGE
        assert failure(page(pack(b""), *headers)).code is Failure.EMPTY
    # A member of gzip with as long a header as it may have: much on the wire, and one byte unpacked.
    member = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\xff\xff" + bytes(65_535) + gzip.compress(b"a")[10:]
    assert fetched(page(member * 31, "Content-Encoding: gzip")).text == "a" * 31
    assert failure(page(member * 33, "Content-Encoding: gzip")).code is Failure.TOO_LARGE


def test_it_follows_five_redirects_and_no_sixth() -> None:
    statuses = ("302 A", "301 A", "302 A", "303 A", "307 A", "308 A")
    hops: dict[str, Answer] = {f"/{n}": redirect(f"{n + 1}", status) for n, status in enumerate(statuses)}
    with PageServer({**hops, "/6": page(b"there")}) as server:
        found = fetch(server.url("/1"), allowed_servers=server.allowed)
        assert found == FetchedPage(server.url("/6"), "there", is_html=True)
        refused = failure_of(server, server.url("/0"))
        assert (refused.code, refused.is_transient) == (Failure.REDIRECTS, False)
        assert len(server.requests) == 6 + 6


def test_it_follows_redirects_to_korean_paths() -> None:
    """The bytes of one in another charset are kept."""
    pages: dict[str, Answer] = dict.fromkeys(["/%ED%95%9C", "/?/../%ED%95%9C", "/%C7%D1"], page(b"there"))
    for location in ("/한", "/%ED%95%9C", "?/../한#a", "/한".encode("cp949")):
        with PageServer({"/": redirect(location), **pages}) as server:
            assert fetch(server.url(), allowed_servers=server.allowed).text == "there", location


def test_it_resolves_a_name_once_a_hop_and_sends_the_name(resolve_by: Resolver) -> None:
    asked = resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": redirect("/there"), "/there": page(b"a")}) as server:
        found = fetch(server.url(host="한국.kr"), allowed_servers=server.allowed)
        assert found.url == server.url("/there", host="xn--3e0b707e.kr")
        assert all(f"Host: xn--3e0b707e.kr:{server.port}" in head for head in server.requests)
    assert asked == ["xn--3e0b707e.kr"] * 2


def test_it_tries_the_next_address_when_one_does_not_answer(resolve_by: Resolver) -> None:
    with answering(page(b"a")) as server:
        resolve_by(lambda host: ["::1", "127.0.0.2", "127.0.0.1", "127.0.0.1"])
        allowed = frozenset((ip, server.port) for ip in ("::1", "127.0.0.1", "127.0.0.2"))
        assert fetch(server.url(host="page.test"), allowed_servers=allowed).text == "a"


def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(resolve_by: Resolver) -> None:
    resolve_by(lambda host: ["127.0.0.2", "127.0.0.1"])
    with answering(page(b"a")) as server, unresponsive("127.0.0.2", server.port):
        allowed = server.allowed | {("127.0.0.2", server.port)}
        assert fetch(server.url(host="page.test"), allowed_servers=allowed, deadline_seconds=1.0).text == "a"


def test_development_counts_pages_of_this_machine_on_any_port_and_nothing_else_not_public(resolve_by: Resolver) -> None:
    allowed = DevelopmentConfig.PAGE_SERVERS
    with answering(page(b"mine")) as server:
        assert fetch(server.url(), allowed_servers=allowed).text == "mine"
        assert fetch(server.url(host="localhost"), allowed_servers=allowed).text == "mine"
        address, port = Failure.ADDRESS, Failure.PORT
        for host, code in (("169.254.169.254", address), ("10.0.0.1", address), (f"8.8.8.8:{server.port}", port)):
            assert refusal(fetch, f"http://{host}/", allowed_servers=allowed).code == code, host
        resolve_by(lambda host: ["127.0.0.1", "10.0.0.1"])
        refusal(fetch, server.url(host="page.test"), allowed_servers=allowed)
        for servers in (ProductionConfig.PAGE_SERVERS, StagingConfig.PAGE_SERVERS):
            refusal(fetch, server.url(), allowed_servers=servers)
        assert len(server.requests) == 2


def test_a_refused_connection_is_transient() -> None:
    with answering(page(b"a")) as server:
        url, allowed = server.url(), server.allowed
    refused = refusal(fetch, url, allowed_servers=allowed)
    assert (refused.code, refused.is_transient) == (Failure.NETWORK, True)


@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), True),
        (UnicodeError("label too long"), False),
        (None, False),
    ],
)
def test_a_name_that_does_not_resolve(resolve_by: Resolver, error: Exception | None, is_transient: bool) -> None:
    def answers(host: str) -> list[str]:
        if error:
            raise error
        return []

    resolve_by(answers)
    refused = refusal(fetch, "http://page.test/")
    assert (refused.code, refused.is_transient) == (Failure.DNS, is_transient)


def test_tls_is_for_the_name_though_connected_to_an_address(resolve_by: Resolver, trusted_tls: ssl.SSLContext) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=trusted_tls) as server:
        assert fetch(server.url(host="page.test"), allowed_servers=server.allowed).text == "safe"
        assert server.names == ["page.test"]
        assert f"Host: page.test:{server.port}\r\n" in server.requests[0]


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1", "sub.page.test"])
def test_a_certificate_of_another_name_is_refused(resolve_by: Resolver, trusted_tls: ssl.SSLContext, host: str) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=trusted_tls) as server:
        refused = failure_of(server, server.url(host=host))
        assert (refused.code, refused.is_transient) == (Failure.TLS, False)
        assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(resolve_by: Resolver, page_test_tls: ssl.SSLContext) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with PageServer({"/": page(b"safe")}, tls=page_test_tls) as server:
        assert failure_of(server, server.url(host="page.test")).code is Failure.TLS


@pytest.mark.parametrize(
    ("at_connect", "code", "is_transient"),
    [
        (lambda connection: connection.sendall(page(b"a")), Failure.TLS, False),
        (lambda connection: connection.shutdown(socket.SHUT_RDWR), Failure.NETWORK, True),
    ],
)
def test_a_server_that_speaks_no_tls_or_hangs_up_is_refused(at_connect: Any, code: Failure, is_transient: bool) -> None:
    with PageServer({}, at_connect=at_connect) as server:
        refused = failure_of(server, server.url().replace("http:", "https:"))
        assert (refused.code, refused.is_transient) == (code, is_transient)


def test_it_follows_redirects_from_https_to_http_as_browsers(resolve_by: Resolver, trusted_tls: ssl.SSLContext) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    with answering(page(b"plain")) as plain, PageServer({"/": redirect(plain.url())}, tls=trusted_tls) as secure:
        found = fetch(secure.url(host="page.test"), allowed_servers=plain.allowed | secure.allowed)
        assert (found.url, found.text) == (plain.url(), "plain")


WORDS = "똠방각하가 펲시를 찦차에 쿿하고"  # 똠, 펲, 찦 and 쿿 are in cp949, not in Python's euc-kr
HTML = "text/html"
META = '<meta charset="{}">'
HTTP_EQUIV = '<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset={}">'

KOREAN_LABELS = [
    "euc-kr", "EUC-KR", "euc_kr", "cseuckr", "ks_c_5601-1987", "KS_C_5601-1989", "ksc5601", "ksc_5601",
    "csksc56011987", "iso-ir-149", "korean", "windows-949", "x-windows-949", "cp949", "ms949", "uhc",
]  # fmt: skip
OTHERS = [
    ("iso-8859-1", "cp1252", "naïve “quotes”"), ("windows-1251", "cp1251", "слово"),
    ("iso-8859-2", "iso8859_2", "słowo"),
    ("Shift_JIS", "cp932", "言葉"), ("EUC-JP", "euc_jp", "言葉"), ("ISO-2022-JP", "iso2022_jp", "言葉"),
    ("gb2312", "gb18030", "词语"), ("Big5", "big5hkscs", "詞語"), ("koi8-r", "koi8_r", "слово"),
    ("utf-16be", "utf-16-be", "word 낱말"),
]  # fmt: skip


def test_every_korean_label_means_cp949() -> None:
    body = WORDS.encode("cp949")
    for label in KOREAN_LABELS:
        assert decode(body, f"{HTML}; charset={label}") == WORDS
        for head in (META, HTTP_EQUIV):
            assert decode(head.format(label).encode() + body, HTML).endswith(WORDS)


def test_korean_without_any_label() -> None:
    assert decode(f"<p>{WORDS}</p>".encode("cp949"), HTML) == f"<p>{WORDS}</p>"
    assert decode(WORDS.encode(), HTML) == WORDS
    assert decode(WORDS.encode("cp949"), "") == WORDS


def test_ways_to_write_the_label() -> None:
    for content_type in (
        'text/html; charset="euc-kr"',
        "TEXT/HTML; CHARSET=EUC-KR",
        "text/html; charset = euc-kr ; a=b",
        "text/html; charset=nonsense, text/html; charset=euc-kr",
    ):
        assert decode(WORDS.encode("cp949"), content_type) == WORDS, content_type
    for meta in (
        "<meta charset='euc-kr'/>",
        "<meta\ncharset = euc-kr >",
        "<meta/charset=euc-kr>",
        "<!-- <meta charset=utf-8> --><meta charset=euc-kr>",
        '<meta charset="nonsense"><meta charset="euc-kr">',
        "<?xml version='1.0' encoding='euc-kr'?><html>",
    ):
        assert decode(f"{meta}<p>é</p>".encode("cp949", "ignore") + WORDS.encode("cp949"), HTML).endswith(WORDS), meta


def test_a_byte_order_mark_outweighs_every_label_and_is_no_text() -> None:
    text = META.format("euc-kr") + WORDS
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert decode(mark + text.encode(codec), "text/html; charset=shift_jis") == text


def test_an_unknown_label_is_as_if_there_were_none() -> None:
    for label in ("nonsense", "utf-7", "unicode_escape", "", "\0"):
        known = META.format("euc-kr").encode() + WORDS.encode("cp949")
        assert decode(known, f"{HTML}; charset={label}").endswith(WORDS), label
        assert decode(META.format(label).encode() + WORDS.encode(), HTML).endswith(WORDS), label


def test_a_label_that_does_not_count() -> None:
    for head, content_type in (
        (META.format("euc-kr"), "text/html; charset=utf-8"),  # the header outweighs the page
        (" " * 1024 + META.format("euc-kr"), HTML),  # a label behind the first 1024 bytes is not read
        (META.format("shift_jis"), "text/plain"),  # a label in plain text is text
        (META.format("utf-16"), HTML),  # a page that says UTF-16 in ASCII is in UTF-8
    ):
        assert decode(head.encode() + WORDS.encode(), content_type).endswith(WORDS), head


def test_other_character_sets() -> None:
    for label, codec, text in OTHERS:
        assert decode(text.encode(codec), f"{HTML}; charset={label}") == text, label


@pytest.mark.parametrize("content_type", [HTML, "text/plain", "text/html; charset=euc-kr", "a; charset=utf-16le"])
def test_it_never_fails(content_type: str) -> None:
    for body in (b"", b"\xff", b"\xff\xfe\x00", b"\xef\xbb\xbf\xff", b"\x80\xfe\x00<meta charset=", bytes(range(256))):
        assert "\ufeff" not in decode(body, content_type)
        decode(body, content_type).encode()  # no lone surrogates; PostgreSQL refuses them


def test_it_reads_a_hostile_header_in_one_pass() -> None:
    assert decode(b"a", "text/html; charset=" + " " * 60_000) == "a"
    assert decode(b"<meta charset=" * 70 + b" " * 60_000, "text/html; " + "charset " * 8_000).startswith("<meta")


def test_media_types() -> None:
    html = ("Text/HTML;charset=utf-8", "text/html, text/html")
    kinds = {**dict.fromkeys(html, "text/html"), " text/plain ; a=b": "text/plain", "": ""}
    assert {header: media_type(header) for header in kinds} == kinds


def test_html_is_recognized_by_its_beginning() -> None:
    html = (b"<!DOCTYPE html>", b"\n <HTML>", b"<p>a", b"<!-- a -->", b"<?xml ?>", b"\xef\xbb\xbf<body id=a>", b"<a>")
    assert [body for body in html if not looks_like_html(body)] == []
    assert [body for body in (b"", b"a <html>", b"<pa>", b"%PDF-1.4 <html>", b"{}") if looks_like_html(body)] == []


def test_text_is_told_from_binary_data() -> None:
    text = (b"words", WORDS.encode(), WORDS.encode("cp949"), b"\xff\xfea\0", b"a\tb\r\n\x0c\x1b[0m")
    binary = (b"%PDF-1.7\n", b"%!PS", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n\0", b"\x1f\x8b\x08", b"a\0b")
    assert [body for body in text if not looks_like_text(body)] == []
    assert [body for body in binary if looks_like_text(body)] == []
