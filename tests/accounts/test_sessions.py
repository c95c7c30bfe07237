"""A session ends when its row does (ASVS 5.0 V7.4.1): a replayed cookie is dead."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, update

from app.accounts import sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor


def cookie_of(browser: Visitor) -> str:
    cookie = browser.get_cookie("semicircle")
    assert cookie is not None
    return cookie.value


def with_cookie(app: Flask, value: str) -> Visitor:
    browser = app.test_client()
    browser.set_cookie("semicircle", value)
    assert isinstance(browser, Visitor)
    return browser


def test_signing_out_ends_the_session(signed_in: Visitor) -> None:
    assert signed_in.submit("/sign-out").location == "/sign-in"
    assert signed_in.get("/notes").status_code == 302
    assert row_counts()["user_sessions"] == 0


def test_a_cookie_copied_before_signing_out_is_dead(app: Flask, signed_in: Visitor) -> None:
    copy = cookie_of(signed_in)
    assert with_cookie(app, copy).get("/notes").status_code == 200
    signed_in.submit("/sign-out")
    assert with_cookie(app, copy).get("/notes").status_code == 302


def test_signing_out_leaves_the_other_devices_signed_in(app: Flask, alice: User, signed_in: Visitor) -> None:
    phone = browser_of(app, alice)
    signed_in.submit("/sign-out")
    assert phone.get("/notes").status_code == 200


def test_signing_out_by_a_link_is_refused(signed_in: Visitor) -> None:
    assert signed_in.get("/sign-out").status_code == 405
    assert signed_in.get("/notes").status_code == 200


def test_an_expired_session_is_dead(signed_in: Visitor) -> None:
    db.session.execute(update(UserSession).values(expires_at=func.now() - timedelta(seconds=1)))
    db.session.commit()
    assert signed_in.get("/notes").status_code == 302


def test_a_visit_prolongs_a_session_by_what_it_was_given(signed_in: Visitor) -> None:
    ago = timedelta(hours=11)
    db.session.execute(
        update(UserSession).values(last_seen_at=func.now() - ago, expires_at=func.now() - ago + timedelta(hours=12))
    )
    db.session.commit()
    assert signed_in.get("/notes").status_code == 200
    left = db.session.query(UserSession.expires_at - func.now()).scalar()
    assert left == timedelta(hours=12)


def test_a_visit_shortly_after_another_writes_nothing(signed_in: Visitor) -> None:
    seen = db.session.query(UserSession.last_seen_at).scalar()
    signed_in.get("/notes")
    assert db.session.query(UserSession.last_seen_at).scalar() == seen


def test_expired_sessions_of_a_person_go_when_they_sign_in(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        browser_of(app, user)
    db.session.execute(update(UserSession).values(expires_at=func.now() - timedelta(days=1)))
    db.session.commit()
    browser_of(app, alice)
    owners = sorted(db.session.scalars(db.select(UserSession.user_id)))
    assert owners == sorted([alice.id, bob.id])


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 5000])
def test_a_token_of_nobody_is_nobody(token: str, alice: User) -> None:
    assert sessions.find_session(token) is None


def test_a_cookie_signed_with_another_key_is_nobody(app: Flask, signed_in: Visitor) -> None:
    payload, _, signature = cookie_of(signed_in).rpartition(".")
    forged = f"{payload}.{'A' * len(signature)}"
    assert with_cookie(app, forged).get("/notes").status_code == 302


@pytest.mark.parametrize("address", ["9.9.9.9:1234", "[::1]:80", "unknown", "fe80::1%lo", "127.1", "", "\xff"])
def test_what_a_proxy_says_may_be_no_address(client: Visitor, alice: User, address: str) -> None:
    client.environ_base["REMOTE_ADDR"] = address
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302
    assert client.get("/notes").status_code == 200
