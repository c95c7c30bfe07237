"""Every response has the security headers (ASVS 5.0 V3.4), and its cookie holds where clocks differ by a minute."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from app.accounts.models import User
from app.web.headers import CLOCK_SKEW
from tests.conftest import PASSWORD, browser_of
from tests.database import same_row_counts
from tests.visitor import Visitor, token_of

ANSWERS = [("GET", "/"), ("GET", "/notes"), ("GET", "/nothing"), ("POST", "/sign-in"), ("GET", "/healthz")]


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def test_every_response_has_the_security_headers(app: Flask, client: Visitor) -> None:
    """The CSP allows nothing inline, and no other origin except photos."""
    for method, path in ANSWERS:
        answer = client.open(path, method=method)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        assert answer.headers["X-Request-ID"], path
        parts = (part.split() for part in answer.headers["Content-Security-Policy"].split(";"))
        policy = {words[0]: words[1:] for words in parts}
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"], path
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"], path
        assert policy["manifest-src"] == policy["form-action"] == ["'self'"], path
        [own, photos] = policy["img-src"]
        assert own == "'self'", path
        assert app.config["S3_PUBLIC_URL"].startswith(f"{photos}/"), path


def test_the_session_cookie_is_httponly_and_samesite_lax(client: Visitor) -> None:
    cookie = client.get("/sign-in").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_static_file_is_immutable_by_its_hash_and_has_the_security_headers(client: Visitor) -> None:
    [url] = re.findall(r'href="(/static/css/base\.[0-9a-f]{8}\.css)"', client.get("/").text)
    with client.get(url) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client.get("/static/css/base.css").status_code == 404


NOW = int(datetime(2026, 11, 25).timestamp())
SetClock = Callable[[int], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock of the process that answers from now on, in seconds ahead of NOW."""

    def set_to(ahead: int) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: NOW + ahead)

    set_to(0)
    return set_to


def test_a_machine_behind_takes_session_and_forms_of_one_ahead(app: Flask, alice: User, set_clock: SetClock) -> None:
    visitor = Visitor(app)
    token = visitor.csrf_token()
    set_clock(-CLOCK_SKEW)
    fields = {"csrf_token": token, "email": alice.email, "password": PASSWORD}
    assert visitor.post("/sign-in", data=fields).location == "/notes"
    set_clock(0)
    page = visitor.get("/notes")
    set_clock(-CLOCK_SKEW)
    assert visitor.post("/notes", data={"csrf_token": token_of(page.text), "title": "half"}).status_code == 302
    set_clock(0)
    assert "half" in visitor.get("/notes").text


def test_more_than_a_minute_is_refused(app: Flask, alice: User, set_clock: SetClock) -> None:
    browser = browser_of(app, alice)
    token = token_of(browser.get("/notes").text)
    with same_row_counts():
        set_clock(-CLOCK_SKEW - 1)
        assert browser.post("/notes", data={"csrf_token": token, "title": "half"}).location == "/sign-in"


@pytest.mark.parametrize("ahead", [0, CLOCK_SKEW])
def test_it_makes_no_lifetime_longer_than_by_a_minute(app: Flask, alice: User, set_clock: SetClock, ahead: int) -> None:
    lifetime = int(app.permanent_session_lifetime.total_seconds())
    set_clock(ahead)
    browser = browser_of(app, alice)
    browser.get("/notes")  # which signs the cookie of its forms
    set_clock(lifetime + ahead)
    assert browser.get("/notes").status_code == 200
    set_clock(lifetime + ahead + 1)
    assert browser.get("/notes").status_code == 302


def test_nobody_writes_a_time_into_it(app: Flask, alice: User, set_clock: SetClock) -> None:
    browser = browser_of(app, alice)
    value, _, signature = browser.session_cookie().rsplit(".", 2)
    set_clock(30)
    later = browser_of(app, alice).session_cookie().rsplit(".", 2)[1]
    browser.set_cookie("semicircle", f"{value}.{later}.{signature}")
    assert browser.get("/notes").status_code == 302
