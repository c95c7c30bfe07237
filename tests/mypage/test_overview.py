"""The counts and the heat map of my page."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask, render_template
from sqlalchemy import event, insert

from app.accounts.models import User
from app.extensions import db
from app.mypage.heat_map import WEEKS, first_day
from app.mypage.overview import Overview, overview
from app.notes import service as notes
from app.notes.models import Note
from app.todos import service as todos
from app.wordcounts import service as wordcounts
from tests.wordcounts import results

TODAY = date(2026, 11, 21)  # a Saturday


def counted(app: Flask, user: User, zone: str = "Asia/Seoul", today: date = TODAY) -> Overview:
    return overview(user.id, 0, app.extensions["figures"], zone, today)


def write(user: User, *moments: datetime, **values: Any) -> None:
    rows = [{"user_id": user.id, "title": "x", "content": "", "created_at": moment, **values} for moment in moments]
    db.session.execute(insert(Note), rows)


def test_an_empty_account_has_zero_counts(app: Flask, alice: User) -> None:
    found = counted(app, alice)
    assert (found.notes, found.todos, found.todos_done, found.wordcounts, found.written) == (0, 0, 0, 0, 0)
    assert found.busiest_week is None
    assert {square.level for square in found.squares()} == {0}


def test_only_the_users_own_rows_that_are_not_deleted_are_counted(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        for number in range(3):
            note_id = notes.create_note(user.id, f"{number}", "")
            todo_id = todos.create_todo(user.id, f"{number}")
            results.done(user)
        notes.delete_note(user.id, note_id)
        todos.change_todo(user.id, todo_id, completed=True)
        wordcounts.delete_result(user.id, results.done(user))
        results.waiting(user)
    found = counted(app, alice, today=datetime.now(ZoneInfo("Asia/Seoul")).date())
    assert (found.notes, found.todos, found.todos_done, found.wordcounts, found.written) == (2, 3, 1, 3, 2)


def test_the_overview_costs_one_statement(app: Flask, alice: User) -> None:
    seen: list[str] = []
    event.listen(db.session.connection(), "before_cursor_execute", lambda *given: seen.append(given[2]))
    counted(app, alice)
    assert len(seen) == 1


@pytest.mark.parametrize(("zone", "day"), [("Asia/Seoul", 21), ("UTC", 20), ("America/New_York", 20)])
def test_notes_are_counted_by_day_in_the_readers_time_zone(app: Flask, alice: User, zone: str, day: int) -> None:
    write(alice, datetime(2026, 11, 20, 15, 30, tzinfo=UTC))
    assert counted(app, alice, zone).days == {date(2026, 11, day): 1}


def test_notes_older_than_26_weeks_are_not_in_the_heat_map(app: Flask, alice: User) -> None:
    midnight = datetime.combine(first_day(TODAY), datetime.min.time(), ZoneInfo("Asia/Seoul"))
    write(alice, midnight, midnight - timedelta(seconds=1))
    found = counted(app, alice)
    assert found.notes == 2
    assert found.days == {first_day(TODAY): 1}


def test_the_heat_map_ends_today() -> None:
    days = {first_day(TODAY): 1, date(2026, 11, 16): 2, TODAY: 6}
    squares = Overview(0, 0, 0, 0, 0, days, TODAY).squares()
    assert len(squares) == WEEKS * 7 - 1
    assert (squares[0].x, squares[0].y, squares[0].level) == (0, 0, 1)
    assert (squares[-6].x, squares[-6].y, squares[-6].level) == (500, 0, 1)
    assert (squares[-1].x, squares[-1].y, squares[-1].level) == (500, 100, 3)


def test_the_busiest_week_is_the_latest_of_equally_busy_weeks() -> None:
    days = {date(2026, 11, 1): 3, date(2026, 11, 2): 1, date(2026, 11, 8): 2, date(2026, 11, 9): 1}
    assert Overview(0, 0, 0, 0, 0, days, TODAY).busiest_week == (date(2026, 11, 2), 3)


def test_the_accessible_name_of_the_heat_map_is_its_sentence(app: Flask) -> None:
    found = Overview(128, 40, 28, 9, 0, {date(2026, 11, 21): 11, date(2026, 6, 1): 2}, TODAY)
    with app.test_request_context(headers={"Accept-Language": "ko"}):
        heat = render_template("mypage/_heat.html", overview=found)
        figures = render_template("mypage/_figures.html", overview=found)
    assert 'role="img" aria-labelledby="heat-sentence"' in heat
    assert "최근 26주 동안 메모 13개를 썼습니다. 가장 많이 쓴 주는 11월 16일 월요일에 시작한 주로, 11개입니다." in heat
    assert heat.count("<rect") == 181
    assert "40개 가운데 28개" in figures
