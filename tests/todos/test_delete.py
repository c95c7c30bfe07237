"""Deleting a todo, and all the done ones at once: one's own and no others."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.todos import service
from app.todos.models import Todo
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor


def create(user: User, description: str, *, completed: bool = False) -> int:
    todo_id = service.create_todo(user.id, description)
    service.change_todo(user.id, todo_id, completed=completed)
    return todo_id


def stored_ids() -> list[int]:
    return sorted(db.session.scalars(select(Todo.id)))


@pytest.mark.parametrize("completed", [True, False])
def test_it_works(signed_in: Visitor, alice: User, completed: bool) -> None:
    todo_id, kept = create(alice, "books", completed=completed), create(alice, "kept")
    assert signed_in.submit(f"/todos/{todo_id}/delete").location == "/todos"
    assert stored_ids() == [kept]
    page = signed_in.get("/todos").text
    assert "The todo is deleted." in page
    assert "books" not in page


@pytest.mark.parametrize("action", ["", "/delete"])
def test_what_is_deleted_is_404(signed_in: Visitor, alice: User, action: str) -> None:
    todo_id = create(alice, "books")
    service.delete_todo(alice.id, todo_id)
    assert signed_in.submit(f"/todos/{todo_id}{action}", completed="1").status_code == 404


def test_somebody_elses_todo_is_404_and_stays(app: Flask, alice: User, bob: User) -> None:
    todo_id = create(alice, "books")
    assert browser_of(app, bob).submit(f"/todos/{todo_id}/delete").status_code == 404
    assert stored_ids() == [todo_id]


@pytest.mark.parametrize("action", ["1/delete", "clear-completed"])
def test_a_link_deletes_nothing(signed_in: Visitor, alice: User, action: str) -> None:
    create(alice, "books", completed=True)
    before = row_counts()
    assert signed_in.get(f"/todos/{action}").status_code == 405
    assert row_counts() == before


def test_clearing_deletes_ones_own_done_todos_and_no_others(signed_in: Visitor, alice: User, bob: User) -> None:
    kept = [create(alice, "open"), create(bob, "foreign", completed=True)]
    for number in range(service.PAGE_SIZE + 1):  # also the ones that no page shows
        create(alice, f"done {number}", completed=True)
    assert signed_in.submit("/todos/clear-completed").location == "/todos"
    assert stored_ids() == kept
    assert "The done todos are deleted." in signed_in.get("/todos").text


def test_clearing_when_nothing_is_done_changes_nothing(signed_in: Visitor, alice: User) -> None:
    create(alice, "open")
    before = row_counts()
    assert signed_in.submit("/todos/clear-completed").status_code == 302
    assert row_counts() == before


def test_clearing_leads_back_to_what_was_shown(signed_in: Visitor, alice: User) -> None:
    create(alice, "books", completed=True)
    assert 'action="/todos/clear-completed?show=done"' in signed_in.get("/todos?show=done").text
    assert signed_in.submit("/todos/clear-completed?show=done").location == "/todos?show=done"


@pytest.mark.parametrize("show", ["", "all", "//evil.example"])
def test_clearing_for_another_list_is_400_and_deletes_nothing(signed_in: Visitor, alice: User, show: str) -> None:
    create(alice, "books", completed=True)
    before = row_counts()
    assert signed_in.submit(f"/todos/clear-completed?show={show}").status_code == 400
    assert row_counts() == before


def test_clearing_is_offered_only_where_something_done_is_in_sight(signed_in: Visitor, alice: User) -> None:
    create(alice, "open")
    assert "clear-completed" not in signed_in.get("/todos").text
    create(alice, "done", completed=True)
    assert "clear-completed" in signed_in.get("/todos").text
    assert "clear-completed" not in signed_in.get("/todos?show=open").text
