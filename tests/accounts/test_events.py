"""Account events: noted once for the owner and once in the log, without a secret (ASVS 5.0 V16.3.1, V16.2.5)."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import events, sessions
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import AccountEvent, EventKind, User, UserSession
from app.accounts.service import AccountGone
from app.extensions import db
from tests.accounts.conftest import AT_ONCE, Post, won
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.visitor import Visitor

ALICE = "alice@example.com"
NEW = "quite another sentence"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "app.accounts.events"]


def events_of(user: User) -> list[tuple[str, int]]:
    """Return kind and times of each, the oldest first, without the sign-in with which a test begins."""
    of_user = select(AccountEvent.kind, AccountEvent.times).where(AccountEvent.user_id == user.id)
    found = [(kind, times) for kind, times in db.session.execute(of_user.order_by(AccountEvent.id))]
    return found[1:] if found[:1] == [("sign_in", 1)] else found


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def record(user: User, kind: EventKind = EventKind.EXPORTED, ip: str = "203.0.113.7") -> None:
    events.record(user.id, kind, Client(ip, WINDOWS))
    db.session.commit()


def page_of(browser: Visitor, path: str = "/mypage/events") -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.text.partition("<main")[2].partition("</main>")[0]


def test_a_sign_in_is_noted_with_device_and_ip(client: Visitor, alice: User, caplog: pytest.LogCaptureFixture) -> None:
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


def test_a_failed_sign_in_is_noted_without_what_was_typed(
    client: Visitor, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    """An unknown address is logged by a hash that tells addresses apart."""
    emails = [ALICE, "nobody@example.com", "nobody@example.com", "somebody@example.com"]
    assert [client.sign_in(email, "not my password").status_code for email in emails] == [422] * 4
    known, first, again, other = lines(caplog)
    assert known == f"sign_in_failed: account={alice.id} address=127.0.0.1"
    assert re.fullmatch(r"sign_in_failed: unknown=[0-9a-f]{16} address=127\.0\.0\.1", first)
    assert first == again != other
    assert (events_of(alice), events_of(bob)) == ([("sign_in_failed", 1)], [])
    noted = caplog.text + str(db.session.scalars(text("SELECT account_events::text FROM account_events")).all())
    assert [word for word in [*emails, "not my password"] if word in noted] == []


def test_a_sign_in_that_a_new_password_overtook_is_not_noted(app: Flask, alice: User) -> None:
    read_before = User(id=alice.id, password_hash="another")
    with pytest.raises(accounts.WrongCredentials):
        sessions.start_session(read_before, Client(None, "test"), remember=False)
    assert db.session.scalars(select(AccountEvent)).all() == []


def test_the_line_has_the_latest_address_and_comes_up_again(app: Flask, alice: User) -> None:
    moments = []
    for address in ("203.0.113.7", "198.51.100.9"):
        events.sign_in_failed(alice.id, ALICE, Client(address, f"browser of {address}"), "key")
        sessions.start_session(alice, Client(None, "test"), remember=False)
        moments.append(db.session.scalars(select(AccountEvent.created_at).filter_by(kind="sign_in_failed")).one())
        db.session.execute(update(AccountEvent).values(created_at=AccountEvent.created_at - timedelta(minutes=1)))
    assert moments[0] == moments[1]
    newest_first = db.session.scalars(select(AccountEvent).order_by(AccountEvent.id.desc())).all()
    assert [event.kind for event in newest_first] == ["sign_in", "sign_in_failed", "sign_in"]
    assert (newest_first[1].ip, newest_first[1].user_agent) == ("198.51.100.9", "browser of 198.51.100.9")


def test_another_day_another_kind_and_another_account_have_lines_of_their_own(alice: User, bob: User) -> None:
    events.sign_in_failed(alice.id, ALICE, CLIENT, "key")
    db.session.execute(update(AccountEvent).values(day=AccountEvent.day - 1))
    events.sign_in_failed(alice.id, ALICE, CLIENT, "key")
    events.refused(alice.id, EventKind.PASSWORD_REFUSED, CLIENT)
    events.sign_in_failed(bob.id, "bob@example.com", CLIENT, "key")
    assert events_of(alice) == [("sign_in_failed", 1), ("sign_in_failed", 1), ("password_refused", 1)]
    assert events_of(bob) == [("sign_in_failed", 1)]


def test_concurrent_guesses_are_one_line(migrated: Flask) -> None:
    alice_id = accounts.sign_up(ALICE, "alice", PASSWORD).id
    won(migrated, lambda _number: events.sign_in_failed(alice_id, ALICE, CLIENT, "key"), range(AT_ONCE))
    assert [event.times for event in db.session.scalars(select(AccountEvent))] == [AT_ONCE]


def test_each_change_is_noted_once_when_it_counts(
    app: Flask, post: Post, client: Visitor, signed_in: Visitor, alice: User
) -> None:
    expected: list[tuple[str, int]] = []

    def noted(*kinds: str) -> None:
        expected.extend((kind, 1) for kind in kinds)
        assert events_of(alice) == expected

    signed_in.head("/mypage/export").close()
    noted()
    signed_in.get("/mypage/export").close()
    noted("exported")
    browser_of(app, alice)
    other = db.session.scalars(select(func.max(UserSession.id))).one()
    for status in (302, 404):
        assert signed_in.submit(f"/mypage/devices/{other}/sign-out").status_code == status
    noted("sign_in", "device_ended")
    browser_of(app, alice)
    for _ in range(2):  # there are no others the second time
        signed_in.submit("/mypage/devices/sign-out-others")
    noted("sign_in", "other_devices_ended")
    signed_in.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    noted("email_change_asked")
    link = post.link("new@example.com")
    signed_in.get(link)
    noted()
    signed_in.submit(link)
    noted("email_changed")
    signed_in.submit("/mypage/password", current_password=PASSWORD, new_password=NEW)
    noted("password_changed", "sign_in_confirmed")
    post.deliver()
    client.submit("/forgot-password", email="new@example.com")
    link = post.link("new@example.com")
    noted()  # anybody can ask for it
    for _ in range(2):
        client.submit(link, new_password="a third long sentence")
    noted("password_reset")


def test_a_wrong_password_at_any_form_of_a_signed_in_person_is_noted_alone(
    post: Post, signed_in: Visitor, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = dict.fromkeys(("password", "current_password", "password_for_email"), "not my password")
    paths = ["/sign-in/confirm", "/mypage/delete", "/mypage/password", "/mypage/email"]
    for number, path in enumerate(paths, 1):
        answer = signed_in.submit(path, **wrong, new_password=NEW, new_email="new@example.com")
        assert (answer.status_code, "This isn&#39;t your" in answer.text) == (422, True), path
        assert events_of(alice) == [("password_refused", number)], path
        assert lines(caplog)[-1] == f"password_refused: account={alice.id} address=127.0.0.1"
    assert "not my password" not in caplog.text


def test_a_deleted_account_leaves_a_line_in_the_log_and_no_row(
    signed_in: Visitor, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    events.sign_in_failed(bob.id, "bob@example.com", CLIENT, "key")
    signed_in.submit("/mypage/delete", password=PASSWORD)
    assert lines(caplog)[-1] == f"account_deleted: account={alice.id} address=127.0.0.1"
    assert db.session.scalars(select(AccountEvent.user_id)).all() == [bob.id]


def test_an_event_goes_with_the_transaction_that_it_tells_of(app: Flask, alice: User) -> None:
    events.record(alice.id, EventKind.PASSWORD_CHANGED, CLIENT)
    db.session.rollback()
    assert events_of(alice) == []


def test_an_account_that_was_deleted_meanwhile_has_no_events_and_cannot_be_locked(app: Flask, alice: User) -> None:
    for lock in (accounts.lock_user, accounts.lock_owner):
        with app.app_context(), pytest.raises(AccountGone):
            lock(1_000_000)
    with app.app_context(), pytest.raises(AccountGone):
        events.record(1_000_000, EventKind.EXPORTED, CLIENT)
    events.sign_in_failed(1_000_000, ALICE, CLIENT, "key")
    events.refused(1_000_000, EventKind.PASSWORD_REFUSED, CLIENT)
    assert db.session.scalars(select(AccountEvent)).all() == []


def test_it_says_what_when_and_where_the_newest_first(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    browser_of(app, bob)
    record(bob, ip="198.51.100.9")
    record(alice)
    assert "198.51.100.9" not in page_of(signed_in, "/mypage/events?before=9223372036854775807")
    page = page_of(signed_in)
    assert "Chrome on Windows" in page
    assert "203.0.113.7" in page
    assert page.count("<time datetime=") == 2
    assert page.index("Data exported") < page.index("Signed in<")
    assert "198.51.100.9" not in page
    assert 'href="/mypage/events"' in signed_in.get("/mypage").text


def test_a_page_has_twenty_and_the_next_one_goes_on(signed_in: Visitor, alice: User) -> None:
    for number in range(events.PAGE_SIZE + 4):
        record(alice, ip=f"203.0.113.{number}")
    first, older = events.list_events(alice.id)
    assert [event.ip for event in first] == [f"203.0.113.{number}" for number in range(23, 3, -1)]
    assert older
    rest, end = events.list_events(alice.id, older)
    assert [event.ip for event in rest] == [f"203.0.113.{number}" for number in range(3, -1, -1)] + ["127.0.0.1"]
    assert end is None
    assert f'href="/mypage/events?before={older}"' in page_of(signed_in)
    assert "?before=" not in page_of(signed_in, f"/mypage/events?before={older}")


def test_what_is_no_cursor_is_400(signed_in: Visitor) -> None:
    for before in ("", "1-2", str(2**63)):
        assert signed_in.get("/mypage/events", query_string={"before": before}).status_code == 400, before


def test_wrong_passwords_of_a_day_are_one_line_with_their_number(signed_in: Visitor, alice: User) -> None:
    for _ in range(2):
        events.refused(alice.id, EventKind.PASSWORD_REFUSED, Client(None, ""))
    db.session.execute(update(AccountEvent).values(times=AccountEvent.times + 1232))
    page = page_of(signed_in)
    assert page.count("Wrong password on a signed-in device") == 1
    assert "1,234 times that day" in page
    assert "Unknown device" in page


def test_every_kind_has_a_sentence_in_both_languages(signed_in: Visitor, alice: User) -> None:
    for kind in EventKind:
        record(alice, kind)
    shown = {}
    for language in ("en", "ko"):
        accounts.change_settings(alice.id, language=language)
        shown[language] = re.findall("<b>(.*?)</b>", page_of(signed_in))
    assert len(EventKind) == events.PAGE_SIZE  # one more kind is on another page
    assert len(set(shown["en"])) == len(set(shown["ko"])) == len(EventKind)
    assert [name for name in shown["en"] if not name.isascii()] == []
    assert [name for name in shown["ko"] if name.isascii()] == []


def test_an_export_holds_no_events(signed_in: Visitor, alice: User) -> None:
    """They cannot be brought back, and a ZIP that lies about should not tell from where somebody signs in."""
    record(alice, ip="198.51.100.9")
    with signed_in.get("/mypage/export") as answer:
        assert b"198.51.100.9" not in answer.data
