"""Addresses as people read them: safe characters are decoded, and no address can look like another one."""

import pytest

from app.accounts.models import User
from app.wordcounts.fetching import parse_url
from app.wordcounts.readable import decoded, readable
from tests.visitor import Visitor
from tests.wordcounts.hostile_urls import REFUSED_URLS
from tests.wordcounts.results import done, failed, waiting

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
    "%3F": "a delimiter",
    "%23": "a delimiter",
    "%40": "a user name",
    "%2e%2e": "a dot",
    "%41": "a letter that needs no encoding",
    "%25EB%258B%25AC": "encoded twice",
    "%20": "a space",
    "%0A": "a line break",
    "%00": "NUL",
    "%7F": "a control",
    "%C2%85": "a control",
    "%C2%A0": "a space that does not break",
    "%E3%80%80": "a wide space",
    "%E2%80%AE": "right-to-left override",
    "%E2%81%A6": "left-to-right isolate",
    "%E2%80%8F": "right-to-left mark",
    "%E2%80%8B": "a space without width",
    "%E2%80%8D": "a joiner without width",
    "%EF%BB%BF": "a byte order mark",
    "%C2%AD": "a soft hyphen",
    "%E3%85%A4": "Hangul filler, a blank letter",
    "%E1%85%9F": "Hangul filler, a blank letter",
    "%EF%BE%A0": "Hangul filler, a blank letter",
    "%E2%A0%80": "a blank Braille pattern",
    "%D7%A9": "a letter from right to left",
    "%D8%A7": "a letter from right to left",
    "%D9%A1": "a digit among letters from right to left",
    "%E2%81%84": "a fraction slash, like a delimiter",
    "%E2%88%95": "a division slash",
    "%EF%BC%8F": "a wide slash",
    "%E3%80%82": "a wide full stop",
    "%EF%BC%9F": "a wide question mark",
    "%CC%81": "an accent of its own, which would sit on what stands before",
    "%EE%80%80": "a character for private use",
    "%FF": "no UTF-8",
    "%C0%AF": "a slash in overlong UTF-8",
    "%ED%A0%80": "half a surrogate pair",
    "%EB%8B": "part of a character",
    "%B9%DD": "CP949",
    "%": "no encoding at all",
    "%zz": "no encoding at all",
}

# Hosts that look like another one, as they were typed, and in Punycode.
DISGUISED = [
    ("аррӏе.com", "xn--80ak6aa92e.com"),
    ("gооgle.com", "xn--ggle-55da.com"),
    ("반달а.kr", "xn--80a8034k62b.kr"),
    ("ㅣ.kr", "xn--8qb.kr"),
]


@pytest.mark.parametrize(("url", "shown"), DECODED)
def test_safe_characters_are_decoded(url: str, shown: str) -> None:
    assert readable(url) == shown


@pytest.mark.parametrize(("url", "shown"), DECODED)
def test_what_is_shown_leads_to_the_same_page(url: str, shown: str) -> None:
    if "[" not in url:  # an address for documentation
        assert parse_url(shown) == parse_url(url.replace("%eb%8b%ac", "%EB%8B%AC"))


@pytest.mark.parametrize("part", ENCODED)
def test_what_could_disguise_an_address_stays_encoded(part: str) -> None:
    for url in (f"https://example.com/{part}/a", f"https://example.com/?{part}", f"https://example.com/a#{part}"):
        assert readable(url) == url, ENCODED[part]
    assert decoded(f"a{part}") == f"a{part}"


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\u3164", "\u2044", "\xa0", "ש", "\u0301"])
def test_what_was_typed_without_encoding_is_encoded(character: str) -> None:
    shown = readable(f"https://example.com/{character}/달")
    assert shown.startswith("https://example.com/%")
    assert shown.endswith("/달")
    assert character not in shown


@pytest.mark.parametrize(("typed", "shown"), DISGUISED)
def test_a_host_is_decoded_only_if_it_adds_hangul(typed: str, shown: str) -> None:
    punycode = typed.encode("idna").decode()
    for host in (typed, punycode):
        assert readable(f"https://{host}/") == f"https://{punycode}/"


@pytest.mark.parametrize(
    "url",
    [
        "https://" + "달" * 70 + ".kr/",
        "https://" + "가" * 2000,
        "https://[/",
        "https://a..b/\u202e",
        "https://xn--\xff/",
    ],
)
def test_what_is_no_address_is_encoded_as_a_whole(url: str) -> None:
    assert readable(url).isascii()
    assert readable(url).startswith("https://")


@pytest.mark.parametrize("url", [url for _, url in REFUSED_URLS])
def test_an_address_that_nobody_could_ask_for_is_shown_safely(url: str) -> None:
    """Nothing like it is stored. Were it, it would hold nothing but visible characters."""
    assert all(character.isprintable() and character != " " for character in readable(url))


@pytest.mark.parametrize("url", ["https://example.com/moon?a=b#c", "http://a.b:80/~x/%20", "https://example.com"])
def test_any_other_address_is_left_alone(url: str) -> None:
    assert readable(url) == url


def test_a_title_made_from_an_address_is_decoded() -> None:
    assert decoded("%EB%8B%AC - 100% moon %20") == "달 - 100% moon %20"


def test_the_pages_show_it_and_the_link_keeps_the_encoded_form(signed_in: Visitor, alice: User) -> None:
    url, shown = DECODED[0]
    page = signed_in.get(f"/wordcounts/{done(alice, url=url, final_url=url, title=None)}").text
    assert f'<a href="{url}" rel="noopener noreferrer nofollow"><bdi>{shown}</bdi></a>' in page
    assert f'<h2 class="grow" id="result"><bdi>{shown}</bdi></h2>' in page
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
