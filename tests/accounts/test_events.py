"""Account events: what happens to an account is noted once for its owner and once in the log (ASVS 5.0 V16.3.1).

Neither holds an e-mail address, a secret or anything that was typed (V16.2.5).
"""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app import rate_limits
from app.accounts import events, sessions
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import AccountEvent, EventKind, User, UserSession
from app.accounts.service import AccountGone
from app.extensions import db
from tests.accounts.conftest import Post
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.visitor import Visitor

ALICE = "alice@example.com"
NEW = "quite another sentence"

Lines = list[str]


def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    return [record.getMessage() for record in caplog.records if record.name == "app.accounts.events"]


def events_of(user: User) -> list[tuple[str, int]]:
    """Kind and times of each, the oldest first, without the sign-in with which a test begins."""
    of_user = select(AccountEvent.kind, AccountEvent.times).where(AccountEvent.user_id == user.id)
    found = [(kind, times) for kind, times in db.session.execute(of_user.order_by(AccountEvent.id))]
    return found[1:] if found[:1] == [("sign_in", 1)] else found


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


# Sign-in


def test_a_sign_in_is_noted_with_device_and_address(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.post(
        "/sign-in",
        data={"csrf_token": client.csrf_token(), "email": ALICE, "password": PASSWORD},
        headers={"User-Agent": "Firefox/140 " + "x" * 300},
    )
    assert answer.status_code == 302
    event = db.session.scalars(select(AccountEvent)).one()
    assert (event.user_id, event.kind, event.ip) == (alice.id, "sign_in", "127.0.0.1")
    assert event.user_agent == ("Firefox/140 " + "x" * 300)[:255]
    assert lines(caplog) == [f"sign_in: account={alice.id} address=127.0.0.1"]


def test_a_wrong_password_is_noted_with_account_and_address(
    client: Visitor, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    assert client.sign_in(ALICE, "not my password").status_code == 422
    assert (events_of(alice), events_of(bob)) == ([("sign_in_failed", 1)], [])
    assert lines(caplog) == [f"sign_in_failed: account={alice.id} address=127.0.0.1"]


def test_an_unknown_address_is_logged_by_a_hash_that_tells_addresses_apart(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    for email in ("nobody@example.com", "nobody@example.com", "somebody@example.com"):
        assert client.sign_in(email, PASSWORD).status_code == 422
    first, again, other = lines(caplog)
    assert re.fullmatch(r"sign_in_failed: unknown=[0-9a-f]{16} address=127\.0\.0\.1", first)
    assert first == again != other
    assert db.session.scalars(select(AccountEvent)).all() == []


def test_a_known_and_an_unknown_address_take_the_same_statements(
    app: Flask, alice: User, statements: list[str]
) -> None:
    taken = []
    for email in (ALICE, "nobody@example.com"):
        browser = app.test_client()
        assert isinstance(browser, Visitor)
        statements.clear()
        assert browser.sign_in(email, "not my password").status_code == 422
        taken.append(list(statements))
    assert taken[0] == taken[1]


@pytest.mark.parametrize("password", [PASSWORD, "not my password"])
@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_neither_address_nor_password_is_noted(
    client: Visitor, alice: User, caplog: pytest.LogCaptureFixture, email: str, password: str
) -> None:
    client.sign_in(email, password)
    assert lines(caplog)
    noted = caplog.text + str(db.session.scalars(text("SELECT account_events::text FROM account_events")).all())
    assert email not in noted
    assert password not in noted


def test_a_form_that_is_not_tried_is_not_noted(client: Visitor, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    client.sign_in("", "")
    client.sign_in(ALICE, "")
    assert lines(caplog) == []
    assert events_of(alice) == []


def test_a_sign_in_that_a_new_password_overtook_is_not_noted(app: Flask, alice: User) -> None:
    read_before = User(id=alice.id, password_hash="another")
    with pytest.raises(accounts.WrongCredentials):
        sessions.start_session(read_before, remember=False, user_agent="test", ip=None)
    assert db.session.scalars(select(AccountEvent)).all() == []


# Failures are counted


def test_guesses_of_a_day_are_one_line_which_counts_them(client: Visitor, alice: User) -> None:
    for _ in range(3):
        client.sign_in(ALICE, "not my password")
    assert events_of(alice) == [("sign_in_failed", 3)]


def test_the_line_has_the_latest_address_and_comes_up_again(app: Flask, alice: User) -> None:
    for address in ("203.0.113.7", "198.51.100.9"):
        events.sign_in_failed(alice.id, ALICE, Client(address, f"browser of {address}"), "key")
        sessions.start_session(alice, remember=False, user_agent="test", ip=None)
    newest_first = db.session.scalars(select(AccountEvent).order_by(AccountEvent.id.desc())).all()
    assert [event.kind for event in newest_first] == ["sign_in", "sign_in_failed", "sign_in"]
    assert (newest_first[1].ip, newest_first[1].user_agent) == ("198.51.100.9", "browser of 198.51.100.9")


def test_another_day_another_kind_and_another_account_have_lines_of_their_own(
    app: Flask, alice: User, bob: User
) -> None:
    events.sign_in_failed(alice.id, ALICE, CLIENT, "key")
    db.session.execute(update(AccountEvent).values(day=AccountEvent.day - 1))
    events.sign_in_failed(alice.id, ALICE, CLIENT, "key")
    events.password_refused(alice.id, CLIENT)
    events.sign_in_failed(bob.id, "bob@example.com", CLIENT, "key")
    assert events_of(alice) == [("sign_in_failed", 1), ("sign_in_failed", 1), ("password_refused", 1)]
    assert events_of(bob) == [("sign_in_failed", 1)]


def test_guesses_beyond_the_limit_are_not_counted(client: Visitor, alice: User) -> None:
    for _ in range(rate_limits.SIGN_IN_BY_ACCOUNT.capacity + 5):
        client.sign_in(ALICE, "not my password")
    assert events_of(alice) == [("sign_in_failed", rate_limits.SIGN_IN_BY_ACCOUNT.capacity)]


def test_twenty_guesses_at_once_are_one_line(migrated: Flask) -> None:
    alice_id = accounts.sign_up(ALICE, "alice", PASSWORD).id
    together = Barrier(20)

    def guess(_number: int) -> None:
        together.wait()
        with migrated.app_context():
            events.sign_in_failed(alice_id, ALICE, CLIENT, "key")
            db.session.remove()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(guess, range(20)))
    assert [event.times for event in db.session.scalars(select(AccountEvent))] == [20]


# Changes of the account


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
    events.password_refused(1_000_000, CLIENT)
    assert db.session.scalars(select(AccountEvent)).all() == []
