"""The CSRF token of a session is signed once, and belongs to that session alone."""

import time
from itertools import count

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from app.accounts.models import User
from app.web import csrf_tokens
from tests.conftest import PASSWORD, browser_of
from tests.visitor import Visitor, token_of


def post_note(browser: Visitor, token: str) -> int:
    """The status of a new note that is posted with this token."""
    return browser.post("/notes", data={"csrf_token": token, "content": "text"}).status_code


def test_all_pages_of_a_session_have_one_token(signed_in: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    csrf_tokens._signed.cache_clear()
    seconds = count(int(time.time()))
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: next(seconds))  # none is signed in the same second
    tokens = {token_of(signed_in.get(path).text) for path in ("/notes", "/todos", "/mypage", "/notes")}
    assert len(tokens) == 1
    assert csrf_tokens._signed.cache_info().misses == 1


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
