"""The account history: its owner reads what happened to the account, and nobody else does."""

import pytest
from flask import Flask
from sqlalchemy import text, update

from app.accounts import events
from app.accounts import service as accounts
from app.accounts.events import Client
from app.accounts.models import AccountEvent, EventKind, User
from app.extensions import db
from tests.conftest import browser_of
from tests.visitor import Visitor

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def record(
    user: User, kind: EventKind = EventKind.EXPORTED, user_agent: str = WINDOWS, ip: str = "203.0.113.7"
) -> None:
    events.record(user.id, kind, Client(ip, user_agent))
    db.session.commit()


def page_of(browser: Visitor, path: str = "/mypage/events") -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.text.partition("<main")[2].partition("</main>")[0]


def test_it_says_what_when_and_from_where_the_newest_first(signed_in: Visitor, alice: User) -> None:
    record(alice)
    page = page_of(signed_in)
    assert "Chrome on Windows" in page
    assert "203.0.113.7" in page
    assert page.count("<time datetime=") == 2
    assert page.index("Data exported") < page.index("Signed in<")


def test_the_events_of_others_are_never_shown(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    browser_of(app, bob)
    record(bob, ip="198.51.100.9")
    for path in ("/mypage/events", "/mypage/events?before=9223372036854775807"):
        page = page_of(signed_in, path)
        assert "198.51.100.9" not in page
        assert "Data exported" not in page


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


def test_behind_the_last_one_it_says_so(signed_in: Visitor) -> None:
    assert "No older entries." in page_of(signed_in, "/mypage/events?before=1")


@pytest.mark.parametrize("before", ["", "0", "-1", "x", "1-2", "01", "١", str(2**63), "1" * 400, "1;--"])
def test_what_is_no_cursor_is_400(signed_in: Visitor, before: str) -> None:
    assert signed_in.get("/mypage/events", query_string={"before": before}).status_code == 400


def test_wrong_passwords_of_a_day_are_one_line_with_their_number(signed_in: Visitor, alice: User) -> None:
    for _ in range(2):
        events.refused(alice.id, EventKind.PASSWORD_REFUSED, Client(None, ""))
    db.session.execute(update(AccountEvent).values(times=AccountEvent.times + 1232))
    page = page_of(signed_in)
    assert page.count("Wrong password on a signed-in device") == 1
    assert "1,234 times that day" in page
    assert "Unknown device" in page


@pytest.mark.parametrize("user_agent", ["", "<script>alert(1)</script>", "Mozilla/5.0 (compatible)"])
def test_a_user_agent_is_not_shown_as_it_was_sent(signed_in: Visitor, alice: User, user_agent: str) -> None:
    record(alice, user_agent=user_agent)
    page = page_of(signed_in)
    assert "Unknown device" in page
    assert "alert(1)" not in page


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_has_a_sentence_in_both_languages(signed_in: Visitor, alice: User, kind: EventKind) -> None:
    record(alice, kind)
    shown = {}
    for language in ("en", "ko"):
        accounts.change_language(alice.id, language)
        shown[language] = page_of(signed_in).partition("<b>")[2].partition("</b>")[0]
    assert shown["en"].isascii()
    assert not shown["ko"].isascii()


def test_the_time_is_in_the_readers_zone(signed_in: Visitor, alice: User) -> None:
    times = set()
    for zone in ("Asia/Seoul", "America/New_York"):
        accounts.change_settings(alice.id, "en", zone)
        times.add(page_of(signed_in).partition("<time")[2].partition("</time>")[0].rpartition(">")[2])
    assert len(times) == 2


def test_it_says_what_to_do_and_my_page_leads_to_it(signed_in: Visitor) -> None:
    page = page_of(signed_in)
    assert 'href="/mypage/edit#password-title"' in page
    assert 'href="/mypage/devices"' in page
    assert 'href="/mypage/events"' in signed_in.get("/mypage").text


def test_a_stranger_is_sent_to_sign_in(client: Visitor, alice: User) -> None:
    assert client.get("/mypage/events").location == "/sign-in?next=/mypage/events"


def test_an_export_holds_no_events(signed_in: Visitor, alice: User) -> None:
    """They cannot be brought back, and a ZIP that lies about should not tell from where somebody signs in."""
    record(alice, ip="198.51.100.9")
    with signed_in.get("/mypage/export") as answer:
        assert b"198.51.100.9" not in answer.data


def test_the_plan_reads_the_owners_index_and_sorts_nothing(app: Flask, alice: User, bob: User) -> None:
    many = text(
        "INSERT INTO account_events (user_id, kind, user_agent)"
        " SELECT :owner, 'sign_in', '' FROM generate_series(1, :many)"
    )
    db.session.execute(many, [{"owner": alice.id, "many": 60}, {"owner": bob.id, "many": 6000}])
    db.session.execute(text("ANALYZE account_events"))
    connection = db.session.connection()
    asked = events._PAGE.params(owner=alice.id, before=2**62).compile(connection)
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}", asked.params).scalars())
    assert "Index Scan Backward using ix_account_events_user_id_id" in plan
    assert "Sort" not in plan
    assert "Filter" not in plan
