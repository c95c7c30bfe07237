"""Account events of changes: what somebody changes in an account is noted once, with the change or not at all."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import events
from app.accounts.models import AccountEvent, EventKind, User, UserSession
from app.accounts.service import AccountGone
from app.extensions import db
from tests.accounts.conftest import Post
from tests.accounts.noted import ALICE, NEW, events_of, lines
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.visitor import Visitor


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def test_a_new_password_is_noted(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    assert events_of(alice) == [("password_changed", 1), ("sign_in_confirmed", 1)]


def test_a_confirmed_sign_in_is_noted(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/sign-in/confirm", password=PASSWORD)
    assert events_of(alice) == [("sign_in_confirmed", 1)]


def test_a_password_that_a_link_set_is_noted(post: Post, client: Visitor, alice: User) -> None:
    client.submit("/forgot-password", email=ALICE)
    link = post.link(ALICE)
    assert events_of(alice) == []  # anybody can ask for it
    client.submit(link, new_password=NEW)
    assert events_of(alice) == [("password_reset", 1)]
    client.submit(link, new_password="a third long sentence")
    assert events_of(alice) == [("password_reset", 1)]


def test_a_new_address_is_noted_when_it_is_asked_for_and_when_it_counts(
    post: Post, signed_in: Visitor, alice: User
) -> None:
    signed_in.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    assert events_of(alice) == [("email_change_asked", 1)]
    link = post.link("new@example.com")
    signed_in.get(link)
    assert events_of(alice) == [("email_change_asked", 1)]
    signed_in.submit(link)
    assert events_of(alice) == [("email_change_asked", 1), ("email_changed", 1)]


def test_an_address_that_was_taken_meanwhile_is_not_noted(
    post: Post, signed_in: Visitor, alice: User, bob: User
) -> None:
    signed_in.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    link = post.link("new@example.com")
    db.session.execute(update(User).where(User.id == bob.id).values(email="new@example.com"))
    db.session.commit()
    signed_in.submit(link)
    assert events_of(alice) == [("email_change_asked", 1)]


def test_an_ended_device_is_noted_and_one_that_is_not_there_is_not(app: Flask, signed_in: Visitor, alice: User) -> None:
    other = max(session_ids(app, alice))
    for expected in (302, 404):
        assert signed_in.submit(f"/mypage/devices/{other}/sign-out").status_code == expected
    assert events_of(alice) == [("sign_in", 1), ("device_ended", 1)]


def test_the_end_of_all_others_is_noted_if_there_were_any(app: Flask, signed_in: Visitor, alice: User) -> None:
    session_ids(app, alice)
    for _ in range(2):
        signed_in.submit("/mypage/devices/sign-out-others")
    assert events_of(alice) == [("sign_in", 1), ("other_devices_ended", 1)]


def session_ids(app: Flask, user: User) -> list[int]:
    """Of the user's browser and of one more."""
    browser_of(app, user)
    return list(db.session.scalars(select(UserSession.id).where(UserSession.user_id == user.id)))


def test_an_export_is_noted_and_a_look_at_its_headers_is_not(signed_in: Visitor, alice: User) -> None:
    signed_in.head("/mypage/export").close()
    assert events_of(alice) == []
    signed_in.get("/mypage/export").close()
    assert events_of(alice) == [("exported", 1)]


def test_an_export_that_was_refused_is_not_noted(signed_in: Visitor, alice: User) -> None:
    db.session.execute(update(UserSession).values(created_at=func.now() - timedelta(minutes=11)))
    db.session.commit()
    signed_in.get("/mypage/export")
    assert events_of(alice) == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sign-in/confirm", {"password": "not my password"}),
        ("/mypage/delete", {"password": "not my password"}),
        ("/mypage/password", {"current_password": "not my password", "new_password": NEW}),
        ("/mypage/email", {"password_for_email": "not my password", "new_email": "new@example.com"}),
    ],
)
def test_a_wrong_password_at_any_form_of_a_signed_in_person_is_noted_alone(
    post: Post, signed_in: Visitor, alice: User, caplog: pytest.LogCaptureFixture, path: str, fields: dict[str, str]
) -> None:
    assert signed_in.submit(path, **fields).status_code == 422
    assert events_of(alice) == [("password_refused", 1)]
    assert lines(caplog)[-1] == f"password_refused: account={alice.id} address=127.0.0.1"
    assert "not my password" not in caplog.text


def test_a_deleted_account_leaves_a_line_in_the_log_and_no_row(
    signed_in: Visitor, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    events.sign_in_failed(bob.id, "bob@example.com", CLIENT, "key")
    signed_in.submit("/mypage/delete", password=PASSWORD)
    assert lines(caplog)[-1] == f"account_deleted: account={alice.id} address=127.0.0.1"
    assert db.session.scalars(select(AccountEvent.user_id)).all() == [bob.id]


# The transaction


@pytest.mark.parametrize("kind", EventKind)
def test_the_table_takes_every_kind(app: Flask, alice: User, kind: EventKind) -> None:
    events.record(alice.id, kind, CLIENT)
    assert events_of(alice) in ([(kind, 1)], [])  # the first sign-in is left out
    assert db.session.scalars(select(AccountEvent.kind)).all() == [kind]


def test_an_event_goes_with_the_transaction_that_it_tells_of(app: Flask, alice: User) -> None:
    events.record(alice.id, EventKind.PASSWORD_CHANGED, CLIENT)
    db.session.rollback()
    assert events_of(alice) == []


def test_an_account_that_was_deleted_meanwhile_has_no_events(app: Flask) -> None:
    with app.app_context(), pytest.raises(AccountGone):
        events.record(1_000_000, EventKind.EXPORTED, CLIENT)
    events.sign_in_failed(1_000_000, ALICE, CLIENT, "key")
    events.refused(1_000_000, EventKind.PASSWORD_REFUSED, CLIENT)
    assert db.session.scalars(select(AccountEvent)).all() == []
