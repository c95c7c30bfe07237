"""A session ends when its row is deleted (ASVS 5.0 V7.4.1), so a replayed cookie is rejected."""

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


def test_signing_out_deletes_the_session(signed_in: Visitor) -> None:
    assert signed_in.submit("/sign-out").location == "/sign-in"
    assert signed_in.get("/notes").status_code == 302
    assert row_counts()["user_sessions"] == 0


def test_a_cookie_copied_before_sign_out_is_rejected_after_it(app: Flask, signed_in: Visitor) -> None:
    copy = cookie_of(signed_in)
    assert with_cookie(app, copy).get("/notes").status_code == 200
    signed_in.submit("/sign-out")
    assert with_cookie(app, copy).get("/notes").status_code == 302


def test_a_csrf_token_ends_with_its_session(signed_in: Visitor) -> None:
    """It has no time limit of its own (ASVS 5.0 V9.2.1): what it is compared with is dropped with the session."""
    copy = signed_in.csrf_token()
    signed_in.submit("/sign-out")
    signed_in.sign_in("alice@example.com", PASSWORD)
    before = row_counts()
    assert signed_in.post("/todos", data={"csrf_token": copy, "description": "milk"}).status_code == 400
    assert row_counts() == before


def test_a_cookie_that_was_written_too_long_ago_is_rejected(
    app: Flask, monkeypatch: pytest.MonkeyPatch, signed_in: Visitor
) -> None:
    """The time of its signature is checked too, though its session is still there."""
    assert signed_in.get("/notes").status_code == 200
    monkeypatch.setitem(app.config, "PERMANENT_SESSION_LIFETIME", timedelta(seconds=-1))
    assert signed_in.get("/notes").status_code == 302
    assert row_counts()["user_sessions"] == 1


def test_signing_out_keeps_the_other_devices_signed_in(app: Flask, alice: User, signed_in: Visitor) -> None:
    phone = browser_of(app, alice)
    signed_in.submit("/sign-out")
    assert phone.get("/notes").status_code == 200


def test_signing_out_by_get_is_405(signed_in: Visitor) -> None:
    assert signed_in.get("/sign-out").status_code == 405
    assert signed_in.get("/notes").status_code == 200


def test_an_expired_session_is_rejected(signed_in: Visitor) -> None:
    db.session.execute(update(UserSession).values(expires_at=func.now() - timedelta(seconds=1)))
    db.session.commit()
    assert signed_in.get("/notes").status_code == 302


def test_a_visit_extends_a_session_by_its_original_lifetime(signed_in: Visitor) -> None:
    ago = timedelta(hours=11)
    db.session.execute(
        update(UserSession).values(last_seen_at=func.now() - ago, expires_at=func.now() - ago + timedelta(hours=12))
    )
    db.session.commit()
    assert signed_in.get("/notes").status_code == 200
    left = db.session.query(UserSession.expires_at - func.now()).scalar()
    assert left == timedelta(hours=12)


def test_the_cookie_is_sent_again_with_a_visit_that_is_noted_and_not_with_each_page(
    client: Visitor, alice: User
) -> None:
    client.sign_in("alice@example.com", PASSWORD, remember="y")
    client.get("/notes")
    assert "Set-Cookie" not in client.get("/notes").headers
    db.session.execute(update(UserSession).values(last_seen_at=func.now() - timedelta(hours=2)))
    assert "Expires=" in client.get("/notes").headers["Set-Cookie"]


def test_no_visit_extends_a_session_beyond_its_absolute_lifetime(signed_in: Visitor) -> None:
    db.session.execute(
        update(UserSession).values(
            created_at=func.now() - sessions.LONGEST + timedelta(hours=3),
            last_seen_at=func.now() - timedelta(hours=2),
            expires_at=func.now() + timedelta(hours=10),
        )
    )
    db.session.commit()
    assert signed_in.get("/notes").status_code == 200
    assert db.session.query(UserSession.expires_at - func.now()).scalar() == timedelta(hours=3)


def test_a_session_older_than_its_absolute_lifetime_ends_with_the_next_visit(signed_in: Visitor) -> None:
    db.session.execute(
        update(UserSession).values(
            created_at=func.now() - sessions.LONGEST - timedelta(hours=1), last_seen_at=func.now() - timedelta(hours=2)
        )
    )
    db.session.commit()
    assert signed_in.get("/notes").status_code == 200
    assert signed_in.get("/notes").location == "/sign-in?next=/notes"


def test_a_second_visit_soon_after_does_not_update_last_seen(signed_in: Visitor) -> None:
    seen = db.session.query(UserSession.last_seen_at).scalar()
    signed_in.get("/notes")
    assert db.session.query(UserSession.last_seen_at).scalar() == seen


def test_signing_in_deletes_the_users_expired_sessions_only(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        browser_of(app, user)
    db.session.execute(update(UserSession).values(expires_at=func.now() - timedelta(days=1)))
    db.session.commit()
    browser_of(app, alice)
    owners = sorted(db.session.scalars(db.select(UserSession.user_id)))
    assert owners == sorted([alice.id, bob.id])


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 5000])
def test_an_unknown_session_token_finds_no_session(token: str, alice: User) -> None:
    assert sessions.find_session(token) is None


def test_a_cookie_with_a_forged_signature_is_rejected(app: Flask, signed_in: Visitor) -> None:
    payload, _, signature = cookie_of(signed_in).rpartition(".")
    forged = f"{payload}.{'A' * len(signature)}"
    assert with_cookie(app, forged).get("/notes").status_code == 302


@pytest.mark.parametrize("address", ["9.9.9.9:1234", "[::1]:80", "unknown", "fe80::1%lo", "127.1", "", "\xff"])
def test_an_invalid_remote_address_does_not_prevent_sign_in(client: Visitor, alice: User, address: str) -> None:
    client.environ_base["REMOTE_ADDR"] = address
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302
    assert client.get("/notes").status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sign-out", {}),
        ("/mypage/delete", {"password": PASSWORD}),
    ],
)
def test_who_signs_out_leaves_nothing_in_the_browser(signed_in: Visitor, path: str, fields: dict[str, str]) -> None:
    answer = signed_in.submit(path, **fields)
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'


def test_another_devices_sign_out_or_a_lost_session_clears_nothing(app: Flask, signed_in: Visitor, alice: User) -> None:
    """The drafts that this browser has stored may be the only copy of a text."""
    browser_of(app, alice)
    others = signed_in.submit("/mypage/devices/sign-out-others")
    db.session.query(UserSession).delete()
    db.session.commit()
    lost = signed_in.get("/notes")
    assert (others.status_code, lost.location) == (302, "/sign-in?next=/notes")
    assert "Clear-Site-Data" not in {*others.headers.keys(), *lost.headers.keys()}
