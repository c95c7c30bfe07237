"""The session's cookie where machines disagree about the time: a minute is nobody's fault, and more is refused."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from app.accounts.models import User
from app.web.cookies import CLOCK_SKEW
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor, token_of

NOW = int(datetime(2026, 11, 25).timestamp())
SetClock = Callable[[int], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the clock of the process that answers from now on, in seconds ahead of NOW."""

    def set_to(ahead: int) -> None:
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: NOW + ahead)

    set_to(0)
    return set_to


def test_a_machine_behind_takes_the_session_and_the_forms_of_one_ahead(
    app: Flask, alice: User, set_clock: SetClock
) -> None:
    visitor = Visitor(app)
    token = visitor.csrf_token()
    set_clock(-CLOCK_SKEW)
    fields = {"csrf_token": token, "email": alice.email, "password": PASSWORD}
    assert visitor.post("/sign-in", data=fields).location == "/notes"
    set_clock(0)
    page = visitor.get("/notes")
    set_clock(-CLOCK_SKEW)
    stored = visitor.post("/notes", data={"csrf_token": token_of(page.text), "title": "half"})
    assert stored.status_code == 302
    set_clock(0)
    assert "half" in visitor.get("/notes").text


def test_more_than_a_minute_is_refused(app: Flask, alice: User, set_clock: SetClock) -> None:
    browser = browser_of(app, alice)
    token = token_of(browser.get("/notes").text)
    before = row_counts()
    set_clock(-CLOCK_SKEW - 1)
    answer = browser.post("/notes", data={"csrf_token": token, "title": "half"})
    assert answer.location == "/sign-in"
    assert row_counts() == before


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
    cookie = browser.get_cookie("semicircle")
    set_clock(30)
    other = browser_of(app, alice).get_cookie("semicircle")
    assert cookie
    assert other
    (value, _, signature), later = cookie.value.rsplit(".", 2), other.value.rsplit(".", 2)[1]
    browser.set_cookie("semicircle", f"{value}.{later}.{signature}")
    assert browser.get("/notes").status_code == 302
