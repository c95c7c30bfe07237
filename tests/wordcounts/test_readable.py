"""Addresses as people read them: safe characters are decoded, and no address can look like another one."""

from urllib.parse import quote

from app.accounts.models import User
from app.wordcounts.fetching import parse_url
from app.wordcounts.readable import decoded, readable
from tests.visitor import Visitor
from tests.wordcounts.results import done, failed, waiting
from tests.wordcounts.test_ssrf import REFUSED

DECODED = [
    ("https://ko.example.org/wiki/%EB%8B%AC", "https://ko.example.org/wiki/달"),
    ("https://ko.example.org/wiki/%eb%8b%ac", "https://ko.example.org/wiki/달"),
    ("https://example.com/?q=%EB%B0%98%20%EB%8B%AC#%EB%8B%AC", "https://example.com/?q=반%20달#달"),
    ("https://example.com/caf%C3%A9/%E6%9C%88", "https://example.com/café/月"),
    ("https://xn--2e0b.example/", "https://구.example/"),
    ("https://반달.example/달", "https://반달.example/달"),
    ("http://[2001:db8::1]:80/%EB%8B%AC", "http://[2001:db8::1]:80/달"),
]

# What stays encoded, and what could be made of it otherwise.
ENCODED = {
    "%2F": "a delimiter",
    "%40": "a user name",
    "%41": "a letter that needs no encoding",
    "%25EB%258B%25AC": "encoded twice",
    "%0A": "a line break",
    "%C2%A0": "a space that does not break",
    "%E2%80%AE": "right-to-left override",
    "%E2%80%8B": "a space without width",
    "%E3%85%A4": "Hangul filler, a blank letter",
    "%D7%A9": "a letter from right to left",
    "%D9%A1": "a digit among letters from right to left",
    "%E2%81%84": "a fraction slash, like a delimiter",
    "%EF%BC%9F": "a wide question mark",
    "%CC%81": "an accent of its own, which would sit on what stands before",
    "%EE%80%80": "a character for private use",
    "%FF": "no UTF-8",
    "%C0%AF": "a slash in overlong UTF-8",
    "%EB%8B": "part of a character",
    "%": "no encoding at all",
}


def test_safe_characters_are_decoded_and_lead_to_the_same_page() -> None:
    assert [(url, readable(url)) for url, _ in DECODED] == DECODED
    for url, shown in DECODED[:-1]:  # the last one is an address for documentation
        assert parse_url(shown) == parse_url(url.replace("%eb%8b%ac", "%EB%8B%AC"))


def test_what_could_disguise_an_address_stays_encoded() -> None:
    for part, what in ENCODED.items():
        for url in (f"https://example.com/{part}/a", f"https://example.com/?{part}", f"https://example.com/a#{part}"):
            assert readable(url) == url, what
        assert decoded(f"a{part}") == f"a{part}"


def test_what_was_typed_without_encoding_is_encoded() -> None:
    for character in ("\u202e", "\u200b", "\u2044", "\xa0", "ש", "\u0301"):
        assert readable(f"https://example.com/{character}/달") == f"https://example.com/{quote(character)}/달"


def test_a_host_that_looks_like_another_one_stays_punycode() -> None:
    for typed in ("аррӏе.com", "gооgle.com", "반달а.kr", "ㅣ.kr"):
        punycode = typed.encode("idna").decode()
        for host in (typed, punycode):
            assert readable(f"https://{host}/") == f"https://{punycode}/"


def test_what_is_no_address_is_encoded_as_a_whole() -> None:
    for host in ("달" * 70 + ".kr/", "가" * 2000, "[/", "a..b/\u202e", "xn--\xff/"):
        shown = readable(f"https://{host}")
        assert shown.isascii()
        assert shown.startswith("https://")


def test_an_address_that_nobody_could_ask_for_is_shown_safely() -> None:
    """Nothing like it is stored. If it were, it would hold nothing but visible characters."""
    shown = [readable(url) for urls in REFUSED.values() for url in urls]
    assert [url for url in shown if not all(letter.isprintable() and letter != " " for letter in url)] == []


def test_any_other_address_is_left_alone_and_a_title_made_from_one_is_decoded() -> None:
    for url in ("https://example.com/moon?a=b#c", "http://a.b:80/~x/%20"):
        assert readable(url) == url
    assert decoded("%EB%8B%AC - 100% moon %20") == "달 - 100% moon %20"


def test_the_pages_show_it_and_the_link_keeps_the_encoded_form(signed_in: Visitor, alice: User) -> None:
    url, shown = DECODED[0]
    page = signed_in.get(f"/wordcounts/{done(alice, url=url, final_url=url, title=None)}").text
    assert f'<a href="{url}" rel="noopener noreferrer nofollow"><bdi>{shown}</bdi></a>' in page
    assert f'<h2 class="grow address" id="result"><bdi>{shown}</bdi></h2>' in page
    assert f"<title>{shown} · " in page
    assert f'value="{shown}"' in page
    assert page.count(url) == 1
    for public_id in (waiting(alice, url), failed(alice, "dns", url)):
        page = signed_in.get(f"/wordcounts/{public_id}").text
        assert shown in page
        assert url not in page
    assert url not in signed_in.get("/wordcounts").text


def test_a_title_cannot_bring_markup_out_of_its_encoding(signed_in: Visitor, alice: User) -> None:
    page = signed_in.get(f"/wordcounts/{done(alice, title='%3Cscript%3E %EB%8B%AC<b>')}").text
    assert "<bdi>%3Cscript%3E 달&lt;b&gt;</bdi>" in page
