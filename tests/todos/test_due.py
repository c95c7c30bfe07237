"""The due date: what is accepted, how it is shown, and the order by it."""

import re
from datetime import date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.accounts.models import User
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from app.todos.views import due_choices
from app.web.locale import today
from tests.database import same_row_counts
from tests.todos.test_list import all_pages, create
from tests.visitor import Visitor

CHOSEN = r'<input type="checkbox" name="named_day" value="([^"]*)" checked>'
ZONE = "Pacific/Kiritimati"  # fourteen hours ahead of UTC, where for most of the day it is tomorrow already


def stored() -> date | None:
    return db.session.scalars(select(Todo.due_on)).one()


def test_anything_else_is_422_and_stays_in_the_form(signed_in: Visitor) -> None:
    with same_row_counts():
        for typed in ["1999-12-31", "2101-01-01", "2026-02-29", "20261121", "2026-1-2", "٢٠٢٦-١١-٢١", "2026-11-21\x00"]:
            answer = signed_in.submit("/todos", description="Dune", due_on=typed)
            assert answer.status_code == 422, typed
            assert '<p class="error" id="due_on-error">' in answer.text, typed
            assert 'value="Dune"' in answer.text, typed
            assert f'value="{typed[:4]}' in answer.text, typed
        assert signed_in.submit("/todos", description="Dune", named_day="2026-02-29").status_code == 422


def test_a_wrong_date_changes_nothing(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    answer = signed_in.submit(f"/todos/{todo_id}", description="more books", due_on="tomorrow", completed="1")
    assert answer.status_code == 422
    assert "more books" in answer.text
    todo = service.get_todo(alice.id, todo_id)
    assert (todo.description, todo.due_on, todo.completed) == ("Dune", date(2026, 11, 21), False)


def test_the_editor_changes_and_removes_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    assert 'value="2026-11-21"' in signed_in.get(f"/todos?edit={todo_id}").text
    for typed in ("2000-01-01", "2100-12-31", " 2026-12-01\r\n"):
        signed_in.submit(f"/todos/{todo_id}", description="Dune", due_on=typed)
        assert stored() == date.fromisoformat(typed.strip())
    signed_in.submit(f"/todos/{todo_id}", description="Dune", due_on="")
    assert stored() is None


ENGLISH_DAY, KOREAN_DAY = r"\w{3},\s\w{3}\s\d{1,2}(,\s\d{4})?", r"(\d{4}년\s)?\d{1,2}월\s\d{1,2}일\([월화수목금토일]\)"
DUE = {
    -400: (f"{ENGLISH_DAY} Overdue", f"{KOREAN_DAY} 기한 지남"),
    -2: (f"{ENGLISH_DAY} Overdue", f"{KOREAN_DAY} 기한 지남"),
    -1: ("Yesterday Overdue", "어제 기한 지남"),
    0: ("Today", "오늘"),
    1: ("Tomorrow", "내일"),
    2: (ENGLISH_DAY, KOREAN_DAY),
}


def test_it_is_shown_in_the_readers_language_and_time_zone(app: Flask, signed_in: Visitor, alice: User) -> None:
    signed_in.set_cookie("time_zone", ZONE)
    with app.test_request_context(headers={"Cookie": f"time_zone={ZONE}"}):
        now = today()
    ids = [service.create_todo(alice.id, "Dune", now + timedelta(days)) for days in DUE]
    for place, language in enumerate(("en", "ko")):
        page = signed_in.get("/todos", headers={"Accept-Language": language}).text
        for todo_id, (days, shown) in zip(ids, DUE.items(), strict=True):
            late = " late" if days < 0 else ""
            start = f'<time class="when{late}" id="due-{todo_id}" datetime="{now + timedelta(days)}">'
            time = page.partition(start)[2].partition("</time>")[0]
            assert re.fullmatch(shown[place], re.sub("<.*?>", "", time)), (days, time)
            assert ('"visually-hidden"' in time) == (days < 0), "the word is said, and not seen"
            assert f'aria-labelledby="edit what-{todo_id} due-{todo_id}"' in page


def test_by_due_date_open_ones_with_a_date_come_first_and_done_ones_last(alice: User) -> None:
    def add(name: str, due_on: date | None = None, *, completed: bool = False) -> None:
        service.change_todo(alice.id, service.create_todo(alice.id, name, due_on), completed=completed)

    add("late", date(2000, 1, 1))
    add("done", date(2000, 1, 1), completed=True)
    add("some day")
    add("far", date(2100, 12, 31))
    add("soon", date(2026, 11, 21))
    add("as soon", date(2026, 11, 21))
    add("some other day")
    expected = ["late", "as soon", "soon", "far", "some other day", "some day", "done"]
    for completed, names in ((None, expected), (False, expected[:-1])):
        page = listing.list_todos(alice.id, sort="due", completed=completed)
        assert [todo.description for todo in page.todos] == names


def test_what_is_due_today_or_before_is_listed_the_earliest_first(signed_in: Visitor, alice: User, bob: User) -> None:
    now = date(2026, 11, 21)
    for name, due_on in {
        "tomorrow": now + timedelta(1), "today": now, "yesterday": now - timedelta(1), "some day": None,
        "long ago": date(2000, 1, 1), "also today": now,
    }.items():  # fmt: skip
        service.create_todo(alice.id, name, due_on)
    service.change_todo(alice.id, service.create_todo(alice.id, "done", date(2001, 1, 1)), completed=True)
    assert "Overdue" not in signed_in.get("/todos?show=done").text
    service.delete_todo(alice.id, service.create_todo(alice.id, "deleted", now))
    service.create_todo(bob.id, "foreign", now)
    listed = [todo.description for todo in listing.list_due(alice.id, now).todos]
    assert listed == ["long ago", "yesterday", "also today", "today"]


def test_the_pages_of_today_hold_every_todo_once_by_the_index(alice: User) -> None:
    now = date(2026, 11, 21)
    ids = create(alice, 120, lambda number: now - timedelta(number % 7))
    found = all_pages(lambda after: listing.list_due(alice.id, now, after))
    assert [todo.due_on for todo in found] == sorted(todo.due_on for todo in found)
    assert sorted(todo.id for todo in found) == ids
    db.session.execute(text("ANALYZE todos; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
    connection = db.session.connection()
    asked = listing._TODAY.params(owner=alice.id, rank=0, todo_id=1, today=0).compile(connection)
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}", asked.params).scalars())
    assert "Index Scan Backward using ix_todos_due" in plan


def test_the_view_of_today_offers_today_for_what_is_added(signed_in: Visitor) -> None:
    with signed_in.application.test_request_context():
        now = today()
    for path, chosen in (("/todos", []), ("/todos?show=today", [f"{now}"])):
        assert re.findall(CHOSEN, signed_in.get(path).text) == chosen


def test_no_day_is_offered_by_two_names(app: Flask) -> None:
    saturday, sunday, monday = (date(2026, 11, day) for day in (21, 22, 23))
    with app.test_request_context():
        assert due_choices(saturday) == [(saturday, "Today"), (sunday, "Tomorrow"), (monday, "Next week")]
        assert due_choices(sunday) == [(sunday, "Today"), (monday, "Tomorrow")]
        assert due_choices(monday)[-1] == (date(2026, 11, 30), "Next week")


def test_a_day_by_name_is_stored_unless_the_calendar_has_another(signed_in: Visitor) -> None:
    for due_on in ("", "2026-12-24"):
        signed_in.submit("/todos", description="Dune", named_day="2026-11-21", due_on=due_on)
    assert [*db.session.scalars(select(Todo.due_on).order_by(Todo.id))] == [date(2026, 11, 21), date(2026, 12, 24)]


def test_by_due_date_nothing_can_be_moved_and_the_links_keep_the_order(signed_in: Visitor, alice: User) -> None:
    create(alice, 51)
    page = signed_in.get("/todos?sort=due").text
    assert 'name="direction"' not in page
    assert 'href="/todos?show=done&amp;sort=due"' in page
    assert "/todos?sort=due&amp;before=-1000000-" in page


def test_the_button_for_older_ones_leads_through_all_pages_of_the_same_list(signed_in: Visitor, alice: User) -> None:
    """Two in three have a date, of which two are on the same day."""
    days = {number: date(2020, 1, 1) + timedelta(number % 80) for number in range(160) if number % 3}
    ids = create(alice, 160, days.get)
    newest_first = [*reversed(range(160))]
    by_date = sorted(newest_first, key=lambda number: days.get(number, date.max))
    for path, expected in {
        "/todos": newest_first,
        "/todos?show=open": newest_first,
        "/todos?sort=due": by_date,
        "/todos?show=today": by_date[: len(days)],
        "/todos?q=1": [number for number in by_date if "1" in f"{number}"],
    }.items():
        found, following = [], path
        while following:
            page = signed_in.get(following).text
            found += [int(todo_id) for todo_id in re.findall(r'<li id="todo-(\d+)"', page)]
            assert len(found) <= len(ids), path
            older = re.search(r'<p class="after"><a class="button" href="([^"]+)"', page)
            following = unescape(older[1]) if older else ""
        assert [ids.index(todo_id) for todo_id in found] == expected, path


@pytest.mark.parametrize("zone", [ZONE, "Pacific/Pago_Pago"])  # in one of the two it is not the day of UTC
def test_the_view_of_today_has_the_readers_day(signed_in: Visitor, alice: User, zone: str) -> None:
    signed_in.set_cookie("time_zone", zone)
    now = datetime.now(ZoneInfo(zone)).date()
    due, _ = (service.create_todo(alice.id, f"{day}", day) for day in (now, now + timedelta(1)))
    page = signed_in.get("/todos?show=today").text
    assert re.findall(r'<li id="todo-(\d+)"', page) == [f"{due}"]
    assert re.findall(CHOSEN, page) == [f"{now}"]


def test_a_tick_or_a_text_alone_leaves_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    signed_in.submit(f"/todos/{todo_id}", completed="1")
    signed_in.submit(f"/todos/{todo_id}", description="more books")
    assert stored() == date(2026, 11, 21)
