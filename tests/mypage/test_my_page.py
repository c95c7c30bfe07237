"""My page, as its owner sees it: who one is, the counts, the heat map, and the page with its five forms to edit it."""

import gzip
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, render_template
from sqlalchemy import delete, insert, text

from app.accounts.models import User
from app.extensions import db
from app.mypage.overview import HALF, LEFT, PITCH, TOP, Overview, Square, first_day, overview
from app.notes import service as notes
from app.notes.models import Note
from app.todos import service as todos
from app.web import formats
from tests.samples import samples
from tests.visitor import TOKEN, Visitor

TODAY = date(2026, 11, 21)  # a Saturday


def counted(app: Flask, user: User, zone: str = "Asia/Seoul", today: date = TODAY) -> Overview:
    return overview(user.id, 0, app.extensions["figures"], app.extensions["by_day"], ZoneInfo(zone), today)


def numbers(found: Overview) -> list[tuple[str, int, int | None]]:
    return [(str(figure.label), number, of) for figure, number, of, _room in found.figures]


def of_features(app: Flask, number: int) -> list[tuple[str, int, int | None]]:
    """Return what the other features count."""
    return [(str(figure.label), number, None) for figure in app.extensions["figures"][2:]]


def write(user: User, *moments: datetime, **values: Any) -> None:
    rows = [{"user_id": user.id, "title": "x", "content": "", "created_at": moment, **values} for moment in moments]
    db.session.execute(insert(Note), rows)


def test_my_page_shows_the_initial_the_escaped_nickname_the_email_and_the_month_of_sign_up(
    signed_in: Visitor, alice: User
) -> None:
    db.session.execute(text("UPDATE users SET created_at = '2026-03-31 20:00+00', nickname = 'a<b>&'"))
    db.session.commit()
    page = signed_in.get("/mypage").text
    assert "<h1><bdi>a&lt;b&gt;&amp;</bdi></h1>" in page
    assert "a<b>" not in page
    assert f'<span class="portrait colour-{alice.id % 6}" aria-hidden="true">A</span>' in page
    assert "alice@example.com" in page
    assert "Joined March 2026" in page


def test_an_empty_account_has_zero_counts(app: Flask, alice: User) -> None:
    found = counted(app, alice)
    assert numbers(found) == [("Notes", 0, None), ("Todos done", 0, 0), *of_features(app, 0)]
    assert found.busiest_week is None
    assert (found.days.total(), found.level(0)) == (0, 0)


def test_only_the_users_own_rows_that_are_not_deleted_are_counted(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        for number in range(3):
            note_id = notes.create_note(user.id, f"{number}", "")
            todo_id = todos.create_todo(user.id, f"{number}")
        notes.delete_note(user.id, note_id)
        todos.change_todo(user.id, todo_id, completed=True)
        for each in samples():
            each.own(user)
    found = counted(app, alice, today=datetime.now(ZoneInfo("Asia/Seoul")).date())
    assert numbers(found) == [("Notes", 2, None), ("Todos done", 1, 3), *of_features(app, 1)]
    assert sum(found.days.values()) == 2


def test_a_zone_that_the_database_does_not_know_is_counted_as_well(app: Flask, alice: User) -> None:
    """Its data may be older than ours: it is told moments, and no name."""
    with (files("tzdata") / "zoneinfo" / "Asia" / "Kathmandu").open("rb") as data:
        newer = ZoneInfo.from_file(data, key="Asia/Founded_Tomorrow")
    write(alice, datetime(2026, 11, 20, 18, 14, tzinfo=UTC), datetime(2026, 11, 20, 18, 15, tzinfo=UTC))
    found = overview(alice.id, 0, app.extensions["figures"], app.extensions["by_day"], newer, TODAY)
    assert found.days == {date(2026, 11, 20): 1, date(2026, 11, 21): 1}


def test_a_day_is_counted_from_its_first_moment_to_its_last_in_the_readers_time_zone(app: Flask, alice: User) -> None:
    for zone, there, hours in (("America/New_York", date(2026, 11, 1), 25), ("Africa/Cairo", date(2026, 4, 24), 23)):
        begin = datetime.combine(there, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
        end, moment = begin + timedelta(hours=hours), timedelta(microseconds=1)
        db.session.execute(delete(Note))
        write(alice, begin - moment, begin, end - moment, end)
        found = counted(app, alice, zone, there + timedelta(days=3))
        assert found.days == {there - timedelta(days=1): 1, there: 2, there + timedelta(days=1): 1}, (zone, there)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])  # one of the two has another day than UTC
def test_the_page_counts_by_the_days_of_the_reader(signed_in: Visitor, alice: User, zone: str) -> None:
    signed_in.set_cookie("time_zone", zone)
    there = datetime.now(ZoneInfo(zone))
    write(alice, there)
    page = signed_in.get("/mypage").text
    assert re.findall(r'href="/notes\?day=([^"]+)" tabindex="-1"', page) == [f"{there.date()}"]


def test_a_day_that_a_zone_left_out_has_no_notes(app: Flask, alice: User) -> None:
    """Samoa went over the date line from the 29th to the 31st of December 2011."""
    write(alice, datetime(2011, 12, 30, 9, 59, tzinfo=UTC), datetime(2011, 12, 30, 10, 0, tzinfo=UTC))
    found = counted(app, alice, "Pacific/Apia", date(2012, 1, 2))
    assert found.days == {date(2011, 12, 29): 1, date(2011, 12, 31): 1}


def test_a_note_of_the_database_whose_clock_is_ahead_is_todays(app: Flask, alice: User) -> None:
    write(alice, datetime(2026, 11, 21, 15, 0, 30, tzinfo=UTC))  # half a minute into the day after in Seoul
    assert counted(app, alice).days == {TODAY: 1}


def test_notes_older_than_26_weeks_are_not_in_the_heat_map(app: Flask, alice: User) -> None:
    midnight = datetime.combine(first_day(TODAY), datetime.min.time(), ZoneInfo("Asia/Seoul"))
    write(alice, midnight, midnight - timedelta(seconds=1))
    found = counted(app, alice)
    assert numbers(found)[0] == ("Notes", 2, None)
    assert found.days == {first_day(TODAY): 1}


def test_the_heat_map_ends_today() -> None:
    first, second = Overview([], 0, Counter(), TODAY).halves
    assert (len(first.squares), len(second.squares)) == (HALF * 7, HALF * 7 - 1)
    assert first.squares[0] == Square(LEFT, TOP, first_day(TODAY))
    assert second.squares[0].day - first.squares[-1].day == timedelta(days=1)
    assert second.squares[-6] == Square(LEFT + 12 * PITCH, TOP, date(2026, 11, 16))
    assert second.squares[-1] == Square(LEFT + 12 * PITCH, TOP + 5 * PITCH, TODAY)


def test_the_more_notes_a_day_has_the_darker_it_is() -> None:
    drawn = Overview([], 0, Counter({first_day(TODAY): 1, date(2026, 11, 16): 2, TODAY: 6}), TODAY)
    assert [drawn.level(notes) for notes in (0, 1, 2, 3, 6)] == [0, 1, 1, 2, 3]


def test_the_heat_map_names_months() -> None:
    first, second = Overview([], 0, Counter(), TODAY).halves
    assert [(x, day.month) for x, day in first.months] == [
        (LEFT + PITCH, 6),  # 25 May is too near to June
        (LEFT + 5 * PITCH, 7),
        (LEFT + 9 * PITCH, 8),
    ]
    assert [day.month for _, day in second.months] == [9, 10, 11]  # and 24 August to September


def test_no_two_names_of_months_are_on_top_of_each_other() -> None:
    for today in (date(2026, 1, 1) + timedelta(days=number) for number in range(0, 366, 5)):
        for half in Overview([], 0, Counter(), today).halves:
            places = [x for x, _ in half.months]
            assert all(after - before >= 2 * PITCH for before, after in pairwise(places)), today


def test_the_days_with_notes_are_listed_by_month_the_newest_first() -> None:
    days = {date(2026, 10, 31): 2, date(2026, 11, 1): 1, TODAY: 6, date(2025, 11, 30): 3}
    assert Overview([], 0, Counter(days), TODAY).days_by_month() == [
        [(TODAY, 6), (date(2026, 11, 1), 1)],
        [(date(2026, 10, 31), 2)],
        [(date(2025, 11, 30), 3)],
    ]


def test_the_busiest_week_is_the_latest_of_equally_busy_weeks() -> None:
    days = {date(2026, 11, 1): 3, date(2026, 11, 2): 1, date(2026, 11, 8): 2, date(2026, 11, 9): 1}
    assert Overview([], 0, Counter(days), TODAY).busiest_week == (date(2026, 11, 2), 3)


@pytest.fixture
def shown(app: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setattr(formats, "today", lambda: TODAY)
    todos_done = [(figure, 28, 40, None) for figure in app.extensions["figures"] if figure.of is not None]
    found = Overview(todos_done, 0, Counter({TODAY: 11, date(2026, 6, 1): 2}), TODAY)
    with app.test_request_context(headers={"Accept-Language": "ko"}):
        heat = render_template("mypage/_heat.html", overview=found)
        return heat, render_template("mypage/_figures.html", overview=found)


def test_the_heat_map_says_in_words_what_it_shows_and_a_square_leads_to_its_notes(shown: tuple[str, str]) -> None:
    heat, figures = shown
    assert "메모 13개를 썼어요. 11월 16일이 있는 주에 가장 많이 썼어요(11개)." in heat
    assert "40개 중 28개" in figures
    assert re.findall(r'<a href="([^"]+)" tabindex="-1">.*?<title>(.*?)</title>', heat) == [
        ("/notes?day=2026-06-01", "6월 1일 · 메모 2개"),
        ("/notes?day=2026-11-21", "11월 21일 · 메모 11개"),
    ]
    assert "<title>11월 20일 · 메모 없음</title>" in heat
    assert heat.count("<rect") == heat.count("<title>") == 181
    assert re.findall(r'<text x="0" y="(\d+)">(.*?)<', heat) == [("32", "월"), ("72", "수"), ("112", "금")] * 2


def test_without_a_mouse_the_days_with_notes_are_a_list_of_links(shown: tuple[str, str]) -> None:
    """The picture is hidden from screen readers, and none of its 181 days is a stop of the Tab key."""
    heat, _ = shown
    assert heat.count("<svg") == heat.count('aria-hidden="true"') == 2
    days = heat.partition("<details")[2]
    assert re.findall(r'<li><a href="([^"]+)">(.*?)</a>', days) == [
        ("/notes?day=2026-11-21", "11월 21일 <b>11</b>"),
        ("/notes?day=2026-06-01", "6월 1일 <b>2</b>"),
    ]
    assert "tabindex" not in days


REFUSED: dict[str, tuple[dict[str, Any], str]] = {  # what is posted, and the field that has the error
    "photo": ({}, "photo"),
    "nickname": ({"nickname": "Bob"}, "nickname"),
    "password": ({"current_password": "another sentence", "new_password": "a new sentence"}, "current_password"),
    "settings": ({"language": "ko", "time_zone": "Mars/Phobos"}, "time_zone"),
    "delete": ({"password": "another sentence"}, "password"),
}


def refused(browser: Visitor, form: str) -> str:
    answer = browser.submit(f"/mypage/{form}", **REFUSED[form][0])
    assert answer.status_code == 422
    return answer.text


def test_the_error_summary_has_the_focus_and_links_to_the_field(signed_in: Visitor, bob: User) -> None:
    for form, (_fields, field) in REFUSED.items():
        page = refused(signed_in, form)
        summary = rf'<div class="message wrong" role="alert" tabindex="-1" autofocus>.*?href="#{field}"'
        assert re.search(summary, page, re.DOTALL), form
        assert page.count("autofocus") == page.count('class="message wrong"') == 1, form
        assert page.index("message wrong") < page.index("<h2")
        assert re.search(rf'aria-describedby="[^"]*{field}-error', page), form


def test_every_id_is_unique_and_every_label_refers_to_a_field(signed_in: Visitor, bob: User) -> None:
    for page in (signed_in.get("/mypage/edit").text, *(refused(signed_in, form) for form in REFUSED)):
        ids = re.findall(r'\sid="([^"]*)"', page)
        assert len(ids) == len(set(ids))
        referred = re.findall(r'<label[^>]* for="([^"]+)"', page)
        for names in re.findall(r'aria-(?:describedby|labelledby)="([^"]*)"', page):
            referred += names.split()
        assert set(referred) <= set(ids)


def test_a_refused_form_keeps_the_typed_text_but_no_password_and_changes_none(signed_in: Visitor, bob: User) -> None:
    assert 'value="Bob"' in refused(signed_in, "nickname")
    for form in ("password", "delete"):
        page = refused(signed_in, form)
        assert "sentence" not in page.replace("A whole sentence", "")
        assert 'value="alice"' in page
        assert page.count('class="error"') == 2  # one is the empty error that photo.js fills in
    assert "<details open>" in page


def test_the_delete_form_is_collapsed_and_password_forms_carry_the_username(signed_in: Visitor) -> None:
    page = signed_in.get("/mypage/edit").text
    assert "<details>" in page
    assert page.count('autocomplete="username" value="alice@example.com"') == 2  # for password managers


def test_the_page_is_at_most_10_kib_compressed(signed_in: Visitor) -> None:
    """The CSRF token is 91 random letters. It is left out and allowed for, so that the size is the same each time."""
    signed_in.submit("/mypage/settings", language="ko", time_zone="Asia/Seoul")
    page = TOKEN.sub("", signed_in.get("/mypage/edit").text)
    assert len(gzip.compress(page.encode())) <= 10 * 1024 - 91
