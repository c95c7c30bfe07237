"""A CSRF token belongs to one session; over TLS, a page of the site has to send it."""

import pytest
from flask import Flask

from app.accounts.models import User
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor, token_of


def post_note(browser: Visitor, token: str) -> int:
    """The status of a new note that is posted with this token."""
    return browser.post("/notes", data={"csrf_token": token, "content": "text"}).status_code


def test_another_session_has_another_token_and_takes_no_other(app: Flask, alice: User, bob: User) -> None:
    own, other = browser_of(app, alice), browser_of(app, bob)
    token, stolen = (token_of(browser.get("/notes").text) for browser in (own, other))
    assert token != stolen
    assert post_note(own, stolen) == 400
    assert post_note(own, token) == 302


def test_signing_in_again_ends_the_token_of_before(app: Flask, alice: User) -> None:
    browser = browser_of(app, alice)
    before = token_of(browser.get("/notes").text)
    assert browser.sign_in(alice.email, PASSWORD).status_code == 302
    after = token_of(browser.get("/notes").text)
    assert after != before
    assert post_note(browser, before) == 400
    assert post_note(browser, after) == 302


SITE = "https://notes.example.com"
FROM_HERE: dict[str, dict[str, str]] = {
    "a browser": {"Origin": SITE, "Referer": f"{SITE}/notes", "Sec-Fetch-Site": "same-origin"},
    "no Referer": {"Origin": SITE},
    "no Origin": {"Referer": f"{SITE}/notes"},
    "a Referer of the origin alone": {"Origin": SITE, "Referer": f"{SITE}/"},
    "a policy of no-referrer": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "neither": {"Sec-Fetch-Site": "same-origin"},
    "Origin null, and a Referer": {"Origin": "null", "Referer": f"{SITE}/notes"},
}
FROM_ELSEWHERE: dict[str, dict[str, str]] = {
    "nothing says where from": {},
    "another host": {"Origin": "https://evil.example"},
    "a host that begins alike": {"Origin": f"{SITE}.evil.example"},
    "a subdomain": {"Origin": "https://a.notes.example.com", "Sec-Fetch-Site": "same-site"},
    "the domain above": {"Origin": "https://example.com"},
    "another scheme": {"Origin": "http://notes.example.com"},
    "another port": {"Origin": f"{SITE}:8443"},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a sandboxed frame in an old browser": {"Origin": "null"},
    "a frame of a sibling": {"Origin": "null", "Sec-Fetch-Site": "same-site"},
    "typed into the address bar": {"Sec-Fetch-Site": "none"},
    "two origins": {"Origin": f"{SITE}, https://evil.example"},
    "an origin with a path": {"Origin": f"{SITE}/"},
    "a wrong Referer": {"Referer": "https://evil.example/"},
    "a wrong Referer beside a right Origin": {"Origin": SITE, "Referer": "https://evil.example/"},
    "a right Referer beside a wrong Origin": {"Origin": "https://evil.example", "Referer": f"{SITE}/notes"},
    "a Referer that begins alike": {"Referer": f"{SITE}.evil.example/notes"},
    "a Referer with our name as user": {"Referer": f"{SITE}@evil.example/"},
    "a Referer of another scheme": {"Referer": "http://notes.example.com/notes"},
    "a wrong Referer beside Sec-Fetch-Site": {"Referer": "https://evil.example/", "Sec-Fetch-Site": "same-origin"},
    "a Referer that is no URL": {"Referer": "https://[::1"},
}


@pytest.fixture
def tls_browser(app: Flask, alice: User) -> Visitor:
    return browser_of(app, alice, SITE)


def post_over_tls(browser: Visitor, headers: dict[str, str], token: str | None = None) -> int:
    data = {"csrf_token": token or token_of(browser.get("/notes", base_url=SITE).text), "content": "text"}
    return browser.post("/notes", base_url=SITE, data=data, headers=headers).status_code


def test_a_form_of_ours_is_taken_over_tls_and_only_with_its_token(tls_browser: Visitor) -> None:
    for name, headers in FROM_HERE.items():
        assert post_over_tls(tls_browser, headers) == 302, name
        assert post_over_tls(tls_browser, headers, "of another session") == 400, name


def test_a_form_of_elsewhere_is_refused_over_tls_though_its_token_is_right(tls_browser: Visitor) -> None:
    before = row_counts()
    assert [name for name, headers in FROM_ELSEWHERE.items() if post_over_tls(tls_browser, headers) != 400] == []
    assert row_counts() == before


@pytest.mark.parametrize("host", ["notes.example.com:8443", "[2001:db8::1]", "xn--bj0bv5f.kr", "Notes.example.com:443"])
def test_the_origin_is_that_of_the_host_as_browsers_write_it(app: Flask, tls_browser: Visitor, host: str) -> None:
    token = token_of(tls_browser.get("/notes", base_url=SITE).text)
    cookie = tls_browser.get_cookie("semicircle", "notes.example.com")
    assert cookie
    there = app.test_client(use_cookies=False)
    assert isinstance(there, Visitor)
    headers = {"Host": host, "Cookie": f"semicircle={cookie.value}"}
    origin = f"https://{host.lower().removesuffix(':443')}"
    assert post_over_tls(there, {**headers, "Origin": origin}, token) == 302
    assert post_over_tls(there, {**headers, "Origin": "https://evil.example"}, token) == 400
