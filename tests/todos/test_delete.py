"""Soft delete of one todo and of all done ones: the user's own and no others. Restoring is in test_undo.py."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor


def create(user: User, description: str, *, completed: bool = False) -> int:
    todo_id = service.create_todo(user.id, description)
    service.change_todo(user.id, todo_id, completed=completed)
    return todo_id


def stored_ids() -> list[int]:
    """Of what is not deleted."""
    return sorted(db.session.scalars(select(Todo.id).where(Todo.deleted_at.is_(None))))


@pytest.mark.parametrize("completed", [True, False])
def test_it_works(signed_in: Visitor, alice: User, completed: bool) -> None:
    todo_id, kept = create(alice, "books", completed=completed), create(alice, "kept")
    assert signed_in.submit(f"/todos/{todo_id}/delete").location == "/todos"
    assert stored_ids() == [kept]
    page = signed_in.get("/todos").text
    assert "“\u2068books\u2069” deleted." in page
    assert page.count("books") == 1
    assert "books" not in signed_in.get("/todos").text  # the message was read


@pytest.mark.parametrize("action", ["", "/delete", "/move"])
def test_a_deleted_todo_is_404_and_unchanged(signed_in: Visitor, alice: User, action: str) -> None:
    create(alice, "neighbour")
    todo_id = create(alice, "books")
    service.delete_todo(alice.id, todo_id)
    fields = {"completed": "1", "description": "x", "direction": "down"}
    assert signed_in.submit(f"/todos/{todo_id}{action}", **fields).status_code == 404
    assert signed_in.get(f"/todos/{todo_id}").status_code == 404
    service.restore_todo(alice.id, todo_id)
    todo = listing.list_todos(alice.id).todos[0]
    assert (todo.description, todo.completed, todo.rank) == ("books", False, todo_id)


@pytest.mark.parametrize("query", ["", "?show=open", "?show=done", "?sort=due", "?edit={todo}"])
def test_a_deleted_todo_is_in_no_list(signed_in: Visitor, alice: User, query: str) -> None:
    todo_ids = [create(alice, "books", completed=completed) for completed in (True, False)]
    for todo_id in todo_ids:
        service.delete_todo(alice.id, todo_id)
    page = signed_in.get(f"/todos{query.format(todo=todo_ids[0])}").text
    assert "books" not in page
    assert "0 left" in page


def test_a_long_or_hostile_description_fits_into_the_message(signed_in: Visitor, alice: User) -> None:
    for description in ("😀" * 200, "<b>" * 66, '" onclick="', "\u202e" * 200):
        signed_in.submit(f"/todos/{create(alice, description)}/delete")
        page = signed_in.get("/todos").text
        assert "deleted." in page
        assert "<b><b>" not in page


def test_another_users_todo_is_404_and_stays(app: Flask, alice: User, bob: User) -> None:
    todo_id = create(alice, "books")
    assert browser_of(app, bob).submit(f"/todos/{todo_id}/delete").status_code == 404
    assert stored_ids() == [todo_id]


@pytest.mark.parametrize("action", ["1/delete", "clear-completed"])
def test_a_link_deletes_nothing(signed_in: Visitor, alice: User, action: str) -> None:
    create(alice, "books", completed=True)
    before = row_counts()
    assert signed_in.get(f"/todos/{action}").status_code == 405
    assert row_counts() == before


def test_clearing_deletes_the_users_own_done_todos_alone(signed_in: Visitor, alice: User, bob: User) -> None:
    kept = [create(alice, "open"), create(bob, "foreign", completed=True)]
    for number in range(listing.PAGE_SIZE + 1):  # also the ones that no page shows
        create(alice, f"done {number}", completed=True)
    assert signed_in.submit("/todos/clear-completed").location == "/todos"
    assert stored_ids() == kept
    assert "completed todo" in signed_in.get("/todos").text


def test_clearing_when_nothing_is_done_changes_nothing(signed_in: Visitor, alice: User) -> None:
    create(alice, "open")
    before = row_counts()
    assert signed_in.submit("/todos/clear-completed").status_code == 302
    assert row_counts() == before


def test_clearing_returns_to_the_list_on_the_screen(signed_in: Visitor, alice: User) -> None:
    create(alice, "books", completed=True)
    assert 'action="/todos/clear-completed?show=done"' in signed_in.get("/todos?show=done").text
    assert signed_in.submit("/todos/clear-completed?show=done").location == "/todos?show=done"


@pytest.mark.parametrize("show", ["", "all", "//evil.example"])
def test_clearing_from_a_list_that_does_not_exist_is_400_and_deletes_nothing(
    signed_in: Visitor, alice: User, show: str
) -> None:
    create(alice, "books", completed=True)
    before = row_counts()
    assert signed_in.submit(f"/todos/clear-completed?show={show}").status_code == 400
    assert row_counts() == before


def test_clearing_is_offered_only_where_a_done_todo_is_shown(signed_in: Visitor, alice: User) -> None:
    create(alice, "open")
    assert "clear-completed" not in signed_in.get("/todos").text
    create(alice, "done", completed=True)
    assert "clear-completed" in signed_in.get("/todos").text
    assert "clear-completed" in signed_in.get("/todos?show=done").text
    assert "clear-completed" not in signed_in.get("/todos?show=today").text
    assert "clear-completed" not in signed_in.get("/todos?before=0-1").text
