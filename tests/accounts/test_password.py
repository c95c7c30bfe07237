"""Changing the password ends every other session (ASVS 5.0 V7.4.3) and rotates this browser's token (V7.2.4)."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts import hashing
from app.accounts.models import User, UserSession
from app.extensions import db
from tests.conftest import PASSWORD, browser_of
from tests.visitor import Visitor

NEW = "quite another sentence"


def password_is(user: User, password: str) -> bool:
    return hashing.matches(password, db.session.scalar(select(User.password_hash).where(User.id == user.id)))


def test_changing_the_password_stores_the_new_one(signed_in: Visitor, alice: User) -> None:
    answer = signed_in.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    assert answer.location == "/mypage"
    assert password_is(alice, NEW)


def test_changing_the_password_ends_the_users_other_sessions_only(
    app: Flask, signed_in: Visitor, alice: User, bob: User
) -> None:
    phone, bobs = browser_of(app, alice), browser_of(app, bob)
    signed_in.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    assert phone.get("/notes").status_code == 302
    assert signed_in.get("/notes").status_code == 200
    assert bobs.get("/notes").status_code == 200


def test_changing_the_password_rotates_the_session_token(signed_in: Visitor) -> None:
    old = db.session.query(UserSession.token_hash).scalar()
    signed_in.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    assert db.session.query(UserSession.token_hash).scalar() != old


def test_changing_the_password_keeps_the_remember_me_lifetime(client: Visitor, alice: User) -> None:
    client.sign_in("alice@example.com", PASSWORD, remember="y")
    client.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    row = db.session.query(UserSession).one()
    assert (row.expires_at - row.created_at).days == 30


@pytest.mark.parametrize(
    ("current", "new", "sentence"),
    [
        ("not my password", NEW, "isn&#39;t your current password"),
        ("", NEW, "enter your password"),
        (PASSWORD, "", "choose a password"),
        (PASSWORD, "short", "10 to 128"),
        (PASSWORD, "x1" * 65, "10 to 128"),
        (PASSWORD, "1234567890", "easy to guess"),
        (PASSWORD, "alice-2026!", "Others know this name"),
        ("x" * 200, NEW, "at most 128"),
    ],
)
def test_an_invalid_password_change_is_refused_and_ends_no_session(
    app: Flask, signed_in: Visitor, alice: User, current: str, new: str, sentence: str
) -> None:
    phone = browser_of(app, alice)
    answer = signed_in.submit("/mypage/password", current_password=current, new_password=new)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert password_is(alice, PASSWORD)
    assert phone.get("/notes").status_code == 200
