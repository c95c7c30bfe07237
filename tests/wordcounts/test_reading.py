"""Pages whose text is elsewhere: refreshes, frames, framesets, within limits; and pages of which nothing is left."""

from typing import Any

import pytest
from flask import Flask

from app.accounts.models import User
from app.wordcounts import fetching
from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import Failure
from app.wordcounts.forms import SENTENCES
from app.wordcounts.reading import FEW_WORDS, MAX_FRAMES, read_page
from tests.api.conftest import program_of
from tests.queued import run_queued
from tests.visitor import Visitor
from tests.wordcounts.conftest import Resolver
from tests.wordcounts.hostile_answers import wait
from tests.wordcounts.page_server import Answer, PageServer, page, redirect, refusal
from tests.wordcounts.results import Ask, status


@pytest.fixture(autouse=True, scope="module")
def fork_server() -> None:
    """Start it first: on a busy machine it may take as long as a visit."""
    sandbox.read("", is_html=True)


OWN = " ".join(["own"] * FEW_WORDS)


def served(pages: dict[str, str | Answer]) -> PageServer:
    return PageServer({path: page(html.encode()) if isinstance(html, str) else html for path, html in pages.items()})


def words(pages: dict[str, str | Answer]) -> dict[str, int]:
    with served(pages) as server:
        return read_page(server.url(), server.allowed).counts.result_all


def failure(pages: dict[str, str | Answer]) -> Failure:
    with served(pages) as server:
        return refusal(read_page, server.url(), server.allowed).code


# The pages of a server, and the words of the first one.
ELSEWHERE: dict[str, tuple[dict[str, str | Answer], dict[str, int]]] = {
    "an iframe": ({"/": "<title>t</title><iframe src='/a?b=1&amp;c'></iframe>", "/a?b=1&c": "text"}, {"text": 1}),
    "beside few words": ({"/": f"{OWN}<iframe src=/a></iframe>", "/a": "text"}, {"own": FEW_WORDS, "text": 1}),
    "beside more words": ({"/": f"own {OWN}<iframe src=/a></iframe>", "/a": "no"}, {"own": FEW_WORDS + 1}),
    "in an iframe": ({"/": "<iframe src=a>", "/a": "b<iframe src=c>", "/c": "d"}, {"b": 1, "d": 1}),
    "in that": ({"/": "<iframe src=a>", "/a": "<iframe src=b>", "/b": "c<iframe src=d>", "/d": "no"}, {"c": 1}),
    "in itself": ({"/": "a<iframe src='#b'></iframe><iframe src=/></iframe>"}, {"a": 1}),
    "in itself by way of another": ({"/": "a<iframe src=b>", "/b": "b<iframe src='/'>"}, {"a": 1, "b": 1}),
    "twice": ({"/": "<iframe src=a></iframe><iframe src=a>", "/a": "b"}, {"b": 2}),
    "another too many": (
        {"/": "".join(f"<iframe src=/{n}></iframe>" for n in range(9)), **{f"/{n}": "a" for n in range(9)}},
        {"a": MAX_FRAMES},
    ),
    "a frameset": (
        {"/": "<frameset><frame src=a><frameset><frame src=b></frameset></frameset>", "/a": "menu", "/b": "text"},
        {"menu": 1, "text": 1},
    ),
    "frames that are there and are not": (
        {"/": "<frameset><frame src=a><frame src=b><frame src='http://10.0.0.1/'></frameset>", "/b": "text"},
        {"text": 1},
    ),
    "plain text in a frame": ({"/": "<iframe src=a>", "/a": page(b"<b>", "Content-Type: text/plain")}, {"b": 1}),
    "a refresh": ({"/": "no<meta http-equiv=refresh content='0;url=a'>", "/a": "text"}, {"text": 1}),
    "behind a redirect, to a frame": (
        {"/": redirect("/a/"), "/a/": "<meta http-equiv=refresh content='5;b'>", "/a/b": "<iframe src=c>", "/a/c": "d"},
        {"d": 1},
    ),
    "in a frame": (
        {"/": "<iframe src=a>", "/a": "no<meta http-equiv=refresh content='0;b'>", "/b": "text"}, {"text": 1},
    ),
    "to another program": ({"/": "a<meta http-equiv=refresh content='0;url=app://open'>"}, {"a": 1}),
    "to a file": ({"/": "a<meta http-equiv=refresh content='0;url=file:///etc/passwd'>"}, {"a": 1}),
    "to a script": ({"/": "a<meta http-equiv=refresh content='0;url=javascript:alert(1)'>"}, {"a": 1}),
    "to the page itself": ({"/": "a<meta http-equiv=refresh content='5;url=/#b'>"}, {"a": 1}),
}  # fmt: skip


@pytest.mark.parametrize("where", ELSEWHERE)
def test_the_words_are_those_that_a_reader_of_the_page_ends_up_with(where: str) -> None:
    pages, expected = ELSEWHERE[where]
    assert words(pages) == expected


def refreshing(address: str) -> str:
    return f"no<meta http-equiv=refresh content='0;url={address}'>"


# Why there is nothing to count.
REFUSED: dict[str, tuple[dict[str, str | Answer], Failure]] = {
    "a script that would write": ({"/": "<title>t</title><div id=root></div><script src=a></script>"}, Failure.SCRIPTS),
    "and asks for it": ({"/": "<noscript>Enable JavaScript</noscript><script>a()</script>"}, Failure.SCRIPTS),
    "the same in a frame": ({"/": "<iframe src=a>", "/a": "<script></script>"}, Failure.FRAMES),
    "another site in an iframe": ({"/": "<iframe src='http://other.example/'>"}, Failure.FRAMES),
    "a frame that is not there": ({"/": "<iframe src=a>"}, Failure.HTTP_4XX),
    "a frame that may come": ({"/": "a<iframe src=a>", "/a": page(b"", status="503 Busy")}, Failure.HTTP_5XX),
    "frames of private addresses": (
        {"/": "<frameset><frame src='http://169.254.169.254/'></frameset>"},
        Failure.ADDRESS,
    ),
    "a frame that redirects there": ({"/": "<iframe src=a>", "/a": redirect("http://[::1]/")}, Failure.ADDRESS),
    "a frame that refreshes there": ({"/": "<iframe src=a>", "/a": refreshing("http://127.0.0.1:1/")}, Failure.PORT),
    "a refresh to a private address": ({"/": refreshing("http://192.168.0.1/")}, Failure.ADDRESS),
    "to another port": ({"/": refreshing("http://example.com:22/")}, Failure.PORT),
    "to a user name": ({"/": refreshing("http://a@example.com/")}, Failure.CREDENTIALS),
    "to no address": ({"/": refreshing("http://[")}, Failure.URL),
    "to a page that refreshes back": ({"/": refreshing("/a"), "/a": refreshing("/")}, Failure.REDIRECTS),
    "to a picture": ({"/": refreshing("/a"), "/a": page(b"a", "Content-Type: image/png")}, Failure.CONTENT_TYPE),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_page_of_which_nothing_is_left_says_why(why: str) -> None:
    pages, code = REFUSED[why]
    assert failure(pages) is code


def test_an_iframe_of_another_site_is_not_asked_for(resolve_by: Resolver) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    for host, framed in (
        ("a.kr", "b.kr"),
        ("a.kr", "ba.kr"),
        ("a.co.kr", "b.co.kr"),
        ("www.kr", "a.kr"),
        ("a.kr", "kr"),
    ):
        with PageServer({"/a": page(b"no")}) as server:
            server.pages = {**server.pages, "/": page(f"<iframe src='{server.url('/a', framed)}'>".encode())}
            assert refusal(read_page, server.url(host=host), server.allowed).code is Failure.FRAMES, framed
            assert len(server.requests) == 1


def test_an_iframe_of_the_same_site_is_and_a_frameset_shows_any(resolve_by: Resolver) -> None:
    resolve_by(lambda host: ["127.0.0.1"])
    for host, framed in (("a.kr", "a.kr"), ("blog.a.kr", "a.kr"), ("a.kr", "blog.a.kr"), ("www.a.kr", "blog.a.kr")):
        for html in ("<iframe src='{}'>", "<frameset><frame src='{}'></frameset>"):
            with PageServer({"/a": page(b"text")}) as server:
                server.pages = {**server.pages, "/": page(html.format(server.url("/a", framed)).encode())}
                assert read_page(server.url(host=host), server.allowed).counts.result_all == {"text": 1}


def test_all_of_a_visit_is_within_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, requests and seconds. What is in frames then is left out, as that is all there may be."""
    frames = "".join(f"<iframe src=/{n}></iframe>" for n in range(4))
    pages: dict[str, str | Answer] = {"/": f"a{frames}", **{f"/{n}": f"b{' ' * 400}" for n in range(4)}}
    assert words(pages) == {"a": 1, "b": 4}
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "MAX_BYTES", 1000)
        assert words(pages) == {"a": 1, "b": 2}
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "MAX_REQUESTS", 3)
        assert words(pages) == {"a": 1, "b": 2}
        hops: dict[str, str | Answer] = {"/": refreshing("/1"), "/1": redirect("/2"), "/2": redirect("/3"), "/3": "a"}
        assert failure(hops) is Failure.REDIRECTS


def test_a_frame_that_never_ends_is_waited_for_no_longer_than_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.wordcounts.reading.DEADLINE_SECONDS", 1.0)
    assert failure({"/": "a<iframe src=a>", "/a": wait}) is Failure.DEADLINE


@pytest.mark.parametrize("path", ["/scripts", "/frames"])
def test_the_reason_is_told_in_the_page_and_the_api(
    app: Flask, signed_in: Visitor, alice: User, pages: PageServer, ask: Ask, path: str
) -> None:
    pages.pages = {"/scripts": page(b"<script></script>"), "/frames": page(b"<iframe src='http://a.example/'>")}
    public_id, code = ask(path), Failure(path[1:])
    run_queued(app)
    assert status() == ("failed", code)
    sentence = str(SENTENCES[code])
    assert "There&#39;s no text on this page" in signed_in.get(f"/wordcounts/{public_id}").text
    told: Any = program_of(app, alice, "wordcounts:read").get(f"/wordcounts/{public_id}").json
    assert told["error"] == sentence


XHTML = "application/xhtml+xml"
DECLARED = '<?xml version="1.0" encoding="euc-kr"?>'
META = '<meta charset="euc-kr"/>'
# Of the type, the character set and the beginning of a page: the words of `<script/>낱말`.
TYPES: list[tuple[str, str, str, dict[str, int]]] = [
    (XHTML, "utf-8", "", {"낱말": 1}),
    (XHTML, "cp949", DECLARED, {"낱말": 1}),
    (f"{XHTML}; charset=utf-8", "utf-8", DECLARED, {"낱말": 1}),
    (XHTML, "utf-8", META, {"낱말": 1}),  # which XML does not know
    ("text/html", "cp949", f"{META}<script></script>낱말", {"낱말": 1}),  # where the next script has no end
]


def test_xhtml_is_known_by_its_type_and_decoded_by_its_declaration() -> None:
    for content_type, codec, beginning, expected in TYPES:
        declaration, start = (beginning, "") if beginning == DECLARED else ("", beginning)
        html = f"{declaration}<html><body>{start}<script/>낱말</body></html>"
        assert words({"/": page(html.encode(codec), f"Content-Type: {content_type}")}) == expected, content_type
