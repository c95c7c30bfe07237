"""URLs: what a person types and where a redirect leads. Refused without a name server wherever the URL tells enough."""

import pytest

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import parse_url
from app.wordcounts.fetching.vetting import follow_redirect
from tests.wordcounts.hostile_urls import REFUSED_URLS


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("http://example.com", "http://example.com/"),
        ("https://example.com/", "https://example.com/"),
        ("HTTPS://Example.COM./A", "https://example.com/A"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:080/", "http://example.com/"),
        ("http://example.com:/", "http://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://한국.kr", "http://xn--3e0b707e.kr/"),
        ("http://ＥＸＡＭＰＬＥ．com", "http://example.com/"),
        ("https://ko.wikipedia.org/wiki/한글", "https://ko.wikipedia.org/wiki/%ED%95%9C%EA%B8%80"),
        ("https://ko.wikipedia.org/wiki/%ED%95%9C", "https://ko.wikipedia.org/wiki/%ED%95%9C"),
        ("https://example.com?q=한&b=%EA", "https://example.com/?q=%ED%95%9C&b=%EA"),
        ("https://example.com/a#b", "https://example.com/a"),
        ("https://example.com#@127.0.0.1/", "https://example.com/"),
        ("https://example.com/a?u=http://127.0.0.1@b", "https://example.com/a?u=http://127.0.0.1@b"),
        ('https://example.com/"<>^`{}', "https://example.com/%22%3C%3E%5E%60%7B%7D"),
        ("https://example.com/👩‍👩‍👧", "https://example.com/%F0%9F%91%A9%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700:4700:0::1111]/", "http://[2606:4700:4700::1111]/"),
        ("http://1.2.3.4.example/", "http://1.2.3.4.example/"),
    ],
)
def test_it_reads_what_a_person_types(typed: str, meant: str) -> None:
    assert parse_url(typed).url == meant
    assert parse_url(meant).url == meant


@pytest.mark.parametrize(("code", "url"), REFUSED_URLS, ids=[f"{code}-{ascii(url)[:60]}" for code, url in REFUSED_URLS])
def test_it_refuses(code: Failure, url: str) -> None:
    with pytest.raises(FetchFailed) as refusal:
        parse_url(url)
    assert refusal.value.code is code
    assert str(refusal.value) == code  # no address, no part of the URL
    assert not refusal.value.is_transient


def test_it_allows_one_server_and_neither_its_neighbour_nor_another_port() -> None:
    allowed = frozenset({("127.0.0.1", 5000)})
    assert parse_url("http://127.0.0.1:5000/a", allowed).url == "http://127.0.0.1:5000/a"
    for url in ("http://127.0.0.2:5000/", "http://127.0.0.1:80/", "http://8.8.8.8:5000/", "http://127.0.0.1:5001/"):
        with pytest.raises(FetchFailed):
            parse_url(url, allowed)


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("b", "https://example.com/dir/b"),
        ("/b?c#d", "https://example.com/b?c"),
        ("?c", "https://example.com/dir/a?c"),
        ("../../b", "https://example.com/b"),
        ("//other.example/", "https://other.example/"),
        ("http://other.example", "http://other.example/"),
        ("/한글", "https://example.com/%ED%95%9C%EA%B8%80"),
    ],
)
def test_it_follows_redirects_to(location: str, found: str) -> None:
    assert follow_redirect(parse_url("https://example.com/dir/a"), location).url == found


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("", Failure.URL),
        ("/a b", Failure.URL),
        ("\thttp://127.0.0.1/", Failure.URL),
        ("/\\127.0.0.1/", Failure.URL),
        ("http:///", Failure.URL),
        ("http://[", Failure.URL),
        ("a" * 60_000, Failure.URL),
        ("file:///etc/passwd", Failure.SCHEME),
        ("javascript:alert(1)", Failure.SCHEME),
        ("//u@example.com/", Failure.CREDENTIALS),
        ("//example.com:22/", Failure.PORT),
        ("//169.254.169.254/", Failure.ADDRESS),
        ("http://[::ffff:169.254.169.254]/", Failure.ADDRESS),
        ("//2130706433", Failure.ADDRESS),
    ],
)
def test_it_follows_no_redirect_to(location: str, code: Failure) -> None:
    with pytest.raises(FetchFailed) as refusal:
        follow_redirect(parse_url("https://example.com/dir/a"), location)
    assert refusal.value.code is code
