"""The due date: what is accepted, how it is shown, and the order by it."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select, text

from app.accounts.models import User
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from app.todos.views import due_choices
from app.web.locale import today
from tests.conftest import browser_of
from tests.database import row_counts
from tests.todos.test_list import all_pages
from tests.visitor import Visitor

ZONE = "Pacific/Kiritimati"  # fourteen hours ahead of UTC, where for most of the day it is tomorrow already


def create(user: User, count: int, due_on: Callable[[int], date | None]) -> list[int]:
    rows = [{"user_id": user.id, "description": "books", "due_on": due_on(number)} for number in range(count)]
    return sorted(db.session.scalars(insert(Todo).returning(Todo.id), rows))


def stored() -> date | None:
    return db.session.scalars(select(Todo.due_on)).one()


def test_anything_else_is_422_and_stays_in_the_form(signed_in: Visitor) -> None:
    for typed in ["1999-12-31", "2101-01-01", "2026-02-29", "20261121", "2026-1-2", "٢٠٢٦-١١-٢١", "2026-11-21\x00"]:
        before = row_counts()
        answer = signed_in.submit("/todos", description="books", due_on=typed)
        assert answer.status_code == 422, typed
        assert '<p class="error" id="due_on-error">' in answer.text, typed
        assert 'value="books"' in answer.text, typed
        assert f'value="{typed[:4]}' in answer.text, typed
        assert signed_in.submit("/todos", description="books", named_day=typed).status_code == 422, typed
        assert row_counts() == before, typed


def test_a_wrong_date_changes_nothing(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "books", date(2026, 11, 21))
    answer = signed_in.submit(f"/todos/{todo_id}", description="more books", due_on="tomorrow", completed="1")
    assert answer.status_code == 422
    assert "more books" in answer.text
    todo = service.get_todo(alice.id, todo_id)
    assert (todo.description, todo.due_on, todo.completed) == ("books", date(2026, 11, 21), False)


def test_the_editor_changes_and_removes_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "books", date(2026, 11, 21))
    assert 'value="2026-11-21"' in signed_in.get(f"/todos?edit={todo_id}").text
    for typed in ("2000-01-01", "2100-12-31", " 2026-12-01\r\n"):
        signed_in.submit(f"/todos/{todo_id}", description="books", due_on=typed)
        assert stored() == date.fromisoformat(typed.strip())
    signed_in.submit(f"/todos/{todo_id}", description="books", due_on="")
    assert stored() is None


@pytest.mark.parametrize(
    ("days", "english", "korean"),
    [(0, "Due today", "오늘까지"), (1, "Due tomorrow", "내일까지"), (-1, "Overdue · was due ", "기한 지남"),
     (2, ">Due ", "까지</time>")],
)  # fmt: skip
def test_it_is_shown_in_the_readers_language_and_time_zone(
    app: Flask, alice: User, days: int, english: str, korean: str
) -> None:
    browser = browser_of(app, alice)
    browser.set_cookie("time_zone", ZONE)
    with app.test_request_context(headers={"Cookie": f"time_zone={ZONE}"}):
        day = today() + timedelta(days)
    service.create_todo(alice.id, "books", day)
    for language, sentence in (("en", english), ("ko", korean)):
        page = browser.get("/todos", headers={"Accept-Language": language}).text
        late = " late" if days < 0 else ""
        assert f'<time class="when{late}" datetime="{day}">' in page
        assert sentence in page


def test_by_due_date_open_ones_with_a_date_come_first_and_done_ones_last(alice: User) -> None:
    def create(name: str, due_on: date | None = None, *, completed: bool = False) -> None:
        service.change_todo(alice.id, service.create_todo(alice.id, name, due_on), completed=completed)

    create("late", date(2000, 1, 1))
    create("done", date(2000, 1, 1), completed=True)
    create("some day")
    create("far", date(2100, 12, 31))
    create("soon", date(2026, 11, 21))
    create("as soon", date(2026, 11, 21))
    create("some other day")
    expected = ["late", "as soon", "soon", "far", "some other day", "some day", "done"]
    assert [todo.description for todo in listing.list_todos(alice.id, sort="due").todos] == expected
    assert [todo.description for todo in listing.list_todos(alice.id, sort="due", completed=False).todos] == expected[
        :-1
    ]


def test_what_is_due_today_or_was_before_is_listed_the_earliest_first(
    signed_in: Visitor, alice: User, bob: User
) -> None:
    now = date(2026, 11, 21)
    for name, due_on in {
        "tomorrow": now + timedelta(1), "today": now, "yesterday": now - timedelta(1), "some day": None,
        "long ago": date(2000, 1, 1), "also today": now,
    }.items():  # fmt: skip
        service.create_todo(alice.id, name, due_on)
    done = service.create_todo(alice.id, "done", date(2001, 1, 1))
    service.change_todo(alice.id, done, completed=True)
    assert "Overdue" not in signed_in.get("/todos?show=done").text
    service.delete_todo(alice.id, service.create_todo(alice.id, "deleted", now))
    service.create_todo(bob.id, "foreign", now)
    assert [todo.description for todo in listing.list_due(alice.id, now).todos] == [
        "long ago", "yesterday", "also today", "today",
    ]  # fmt: skip


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
    for path, chosen in (("/todos", ""), ("/todos?show=today", f"{now}")):
        page = signed_in.get(path).text
        assert re.findall(r'<input type="radio" name="named_day" value="([^"]*)" checked>', page) == [chosen]


def test_no_day_is_offered_by_two_names(app: Flask) -> None:
    saturday, sunday, monday = (date(2026, 11, day) for day in (21, 22, 23))
    with app.test_request_context():
        assert due_choices(saturday) == [(saturday, "Today"), (sunday, "Tomorrow"), (monday, "Next week")]
        assert due_choices(sunday) == [(sunday, "Today"), (monday, "Tomorrow")]
        assert due_choices(monday)[-1] == (date(2026, 11, 30), "Next week")


@pytest.mark.parametrize(("due_on", "due"), [("", date(2026, 11, 21)), ("2026-12-24", date(2026, 12, 24))])
def test_a_day_by_name_is_stored_unless_the_calendar_has_another(signed_in: Visitor, due_on: str, due: date) -> None:
    signed_in.submit("/todos", description="books", named_day="2026-11-21", due_on=due_on)
    assert stored() == due


def test_by_due_date_the_pages_hold_every_todo_once(alice: User) -> None:
    days = date(2026, 1, 1)
    ids = create(alice, 120, lambda number: days + timedelta(number % 7) if number % 3 else None)
    found = all_pages(lambda after: listing.list_todos(alice.id, after, sort="due"))
    assert sorted(todo.id for todo in found) == ids
    assert [todo.due_on or date.max for todo in found] == sorted(todo.due_on or date.max for todo in found)


def test_by_due_date_nothing_can_be_moved_and_the_links_keep_the_order(signed_in: Visitor, alice: User) -> None:
    for number in range(51):
        service.create_todo(alice.id, f"{number}")
    page = signed_in.get("/todos?sort=due").text
    assert 'name="direction"' not in page
    assert 'href="/todos?show=done&amp;sort=due"' in page
    assert "/todos?sort=due&amp;before=-1000000-" in page


def test_a_tick_or_a_text_alone_leaves_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "books", date(2026, 11, 21))
    signed_in.submit(f"/todos/{todo_id}", completed="1")
    signed_in.submit(f"/todos/{todo_id}", description="more books")
    assert stored() == date(2026, 11, 21)
