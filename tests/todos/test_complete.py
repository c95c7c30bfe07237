"""Completing and reopening: the database stores the time once, and the answer returns to the list on the screen."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts.models import User
from app.extensions import db
from app.todos import service
from app.todos.models import Todo
from tests.conftest import browser_of
from tests.visitor import Visitor

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def todo_id(alice: User) -> int:
    return service.create_todo(alice.id, "books")


def stored(todo_id: int) -> tuple[str, bool, datetime | None]:
    row = db.session.execute(
        select(Todo.description, Todo.completed, Todo.completed_at).where(Todo.id == todo_id)
    ).one()
    return row.description, row.completed, row.completed_at


def set_completed(todo_id: int, completed: bool, completed_at: datetime | None) -> None:
    change = update(Todo).where(Todo.id == todo_id).values(completed=completed, completed_at=completed_at)
    db.session.execute(change)
    db.session.commit()


def test_it_works(signed_in: Visitor, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", completed="1").location == "/todos"
    assert stored(todo_id) == ("books", True, db.session.scalar(select(func.now())))
    assert signed_in.submit(f"/todos/{todo_id}", completed="0").location == "/todos"
    assert stored(todo_id) == ("books", False, None)


@pytest.mark.parametrize("completed", ["", "2", "yes", "true", "on", "-1", "01", " 1", "1\n", "１", "1" * 5000])
def test_another_value_is_422_and_stores_nothing(signed_in: Visitor, todo_id: int, completed: str) -> None:
    answer = signed_in.submit(f"/todos/{todo_id}", completed=completed)
    assert answer.status_code == 422
    assert 'value="books"' in answer.text
    assert stored(todo_id) == ("books", False, None)


def test_two_values_are_422_and_store_nothing(signed_in: Visitor, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", completed=["1", "0"]).status_code == 422
    assert stored(todo_id) == ("books", False, None)


def test_a_wrong_value_beside_a_good_description_stores_neither(signed_in: Visitor, todo_id: int) -> None:
    answer = signed_in.submit(f"/todos/{todo_id}", description="better books", completed="maybe")
    assert answer.status_code == 422
    assert "better books" in answer.text
    assert stored(todo_id) == ("books", False, None)


def test_completed_twice_it_keeps_the_first_time(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, True, LONG_AGO)
    assert signed_in.submit(f"/todos/{todo_id}", completed="1").status_code == 302
    assert stored(todo_id) == ("books", True, LONG_AGO)


def test_the_time_of_an_open_todo_is_ignored(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, False, LONG_AGO)
    assert "2020" not in signed_in.get("/todos").text
    signed_in.submit(f"/todos/{todo_id}", completed="1")
    _, _, completed_at = stored(todo_id)
    assert completed_at
    assert completed_at > LONG_AGO + timedelta(days=1)


def test_a_done_todo_without_a_time_is_shown_as_done(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, True, None)
    page = signed_in.get("/todos?show=done").text
    assert f'<li id="todo-{todo_id}" class="done">' in page
    assert "<time" not in page


@pytest.mark.parametrize(
    "query", ["?show=open", "?show=done", "?before=0-99", "?show=done&before=0-99", "?before=-3-9", "?sort=due"]
)
@pytest.mark.parametrize("action", ["", "/delete"])
def test_it_returns_to_the_list_on_the_screen(signed_in: Visitor, todo_id: int, query: str, action: str) -> None:
    below = f"{todo_id + 1}-{todo_id + 1}"
    page = signed_in.get(f"/todos?show=open&before={below}").text
    assert f'action="/todos/{todo_id}{action}?show=open&amp;before={below}"' in page
    assert signed_in.submit(f"/todos/{todo_id}{action}{query}", completed="1").location == f"/todos{query}"


@pytest.mark.parametrize(
    "query",
    ["show=//evil.example", "show=https://evil.example", "show=", "before=//evil.example", "before=0-1%0d%0aX:1"],
)
@pytest.mark.parametrize("action", ["", "/delete"])
def test_a_list_that_does_not_exist_is_400_and_changes_nothing(
    signed_in: Visitor, todo_id: int, query: str, action: str
) -> None:
    assert signed_in.submit(f"/todos/{todo_id}{action}?{query}", completed="1").status_code == 400
    assert stored(todo_id) == ("books", False, None)


def test_next_is_ignored_so_it_is_no_open_redirect(signed_in: Visitor, todo_id: int) -> None:
    answer = signed_in.submit(f"/todos/{todo_id}?next=//evil.example", completed="1", next="//evil.example")
    assert answer.location == "/todos"


def test_another_users_todo_is_404_and_stays_open(app: Flask, bob: User, todo_id: int) -> None:
    stranger = browser_of(app, bob)
    for completed in ("1", "0", "maybe"):
        assert stranger.submit(f"/todos/{todo_id}", completed=completed).status_code == 404
    assert stored(todo_id) == ("books", False, None)
