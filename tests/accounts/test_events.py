"""Account events: what happens to an account is noted once for its owner and once in the log (ASVS 5.0 V16.3.1).

Neither holds an email address, a secret or anything that was typed (V16.2.5).
"""

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.accounts import events, sessions
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import AccountEvent, EventKind, User
from app.extensions import db
from app.limits import rate_limits
from tests.accounts.noted import ALICE, events_of, lines
from tests.conftest import CLIENT, PASSWORD
from tests.visitor import Visitor


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
    events.refused(alice.id, EventKind.PASSWORD_REFUSED, CLIENT)
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
