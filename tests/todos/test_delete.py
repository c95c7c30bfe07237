"""Soft delete of one todo and of all done ones, and undo: exactly what was deleted comes back, for a day."""

import re
from datetime import date

import pytest
from sqlalchemy import select, text

from app.accounts.models import User
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from tests.database import commit, row_counts
from tests.visitor import Visitor


def create(user: User, description: str, *, completed: bool = False) -> int:
    todo_id = service.create_todo(user.id, description)
    service.change_todo(user.id, todo_id, completed=completed)
    return todo_id


def stored_ids() -> list[int]:
    """Return the ids of todos that are not deleted."""
    return sorted(db.session.scalars(select(Todo.id).where(Todo.deleted_at.is_(None))))


def test_it_works(signed_in: Visitor, alice: User) -> None:
    todo_id, kept = create(alice, "Dune"), create(alice, "kept")
    assert signed_in.submit(f"/todos/{todo_id}/delete").location == "/todos"
    assert stored_ids() == [kept]
    page = signed_in.get("/todos").text
    assert "“\u2068Dune\u2069” deleted." in page
    assert page.count("Dune") == 1
    assert "Dune" not in signed_in.get("/todos").text  # the message was read


def test_a_deleted_todo_is_404_and_unchanged(signed_in: Visitor, alice: User) -> None:
    create(alice, "neighbour")
    todo_id = create(alice, "Dune")
    service.delete_todo(alice.id, todo_id)
    fields = {"completed": "1", "description": "x", "direction": "down"}
    for action in ("", "/delete", "/move"):
        assert signed_in.submit(f"/todos/{todo_id}{action}", **fields).status_code == 404
    assert signed_in.get(f"/todos/{todo_id}").status_code == 404
    service.restore_todo(alice.id, todo_id)
    todo = listing.list_todos(alice.id).todos[0]
    assert (todo.description, todo.completed, todo.rank) == ("Dune", False, todo_id)


def test_a_deleted_todo_is_in_no_list(signed_in: Visitor, alice: User) -> None:
    todo_ids = [create(alice, "Dune", completed=completed) for completed in (True, False)]
    todo_ids.append(service.create_todo(alice.id, "Dune", date(2000, 1, 1)))
    for todo_id in todo_ids:
        service.delete_todo(alice.id, todo_id)
    for query in ["", "?show=done", "?show=today", "?sort=due", f"?edit={todo_ids[0]}"]:
        page = signed_in.get(f"/todos{query}").text
        assert "Dune" not in page, query
        assert "0 left" in page, query


def test_a_long_or_hostile_description_fits_into_the_message(signed_in: Visitor, alice: User) -> None:
    for description in ("😀" * 200, "<b>" * 66):
        signed_in.submit(f"/todos/{create(alice, description)}/delete")
        page = signed_in.get("/todos").text
        assert "deleted." in page
        assert "<b><b>" not in page


def test_clearing_is_offered_only_where_a_done_todo_is_shown(signed_in: Visitor, alice: User) -> None:
    create(alice, "open")
    assert "clear-completed" not in signed_in.get("/todos").text
    signed_in.submit("/todos/clear-completed")
    assert 'class="message"' not in signed_in.get("/todos").text, "there is nothing to undo"
    create(alice, "done", completed=True)
    assert "clear-completed" in signed_in.get("/todos").text
    assert "clear-completed" in signed_in.get("/todos?show=done").text
    assert "clear-completed" not in signed_in.get("/todos?show=today").text
    assert "clear-completed" not in signed_in.get("/todos?before=0-1").text


UNDO = re.compile(r'role="status">.*?<form method="post" action="([^"]+)">', re.DOTALL)


def listed(user: User) -> list[str]:
    return [todo.description for todo in listing.list_todos(user.id).todos]


def make_old(interval: str) -> None:
    commit(text("UPDATE todos SET deleted_at = deleted_at - CAST(:ago AS interval)"), {"ago": interval})


def undo(browser: Visitor, query: str = "") -> str:
    """Press the button in the message of the page, and return where that leads to."""
    [action] = UNDO.findall(browser.get(f"/todos{query}").text)
    location = browser.submit(action.replace("&amp;", "&")).location
    assert location
    return location


def test_undo_restores_it_at_its_position(signed_in: Visitor, alice: User) -> None:
    create(alice, "below")
    todo_id = create(alice, "Dune", completed=True)
    done_at = service.get_todo(alice.id, todo_id).completed_at
    create(alice, "above")
    signed_in.submit(f"/todos/{todo_id}/delete")
    assert listed(alice) == ["above", "below"]
    assert undo(signed_in) == "/todos"
    assert listed(alice) == ["above", "Dune", "below"]
    assert service.get_todo(alice.id, todo_id).completed_at == done_at
    assert "“\u2068Dune\u2069” restored." in signed_in.get("/todos").text


@pytest.mark.parametrize(
    ("action", "query"), [("{todo}/delete", "?before=9-9"), ("clear-completed", "?show=done&sort=due")]
)
def test_it_returns_to_the_list_on_the_screen(signed_in: Visitor, alice: User, action: str, query: str) -> None:
    todo_id = create(alice, "Dune", completed=True)
    signed_in.submit(f"/todos/{action.format(todo=todo_id)}{query}")
    assert undo(signed_in, query) == f"/todos{query}"


def test_restored_twice_within_the_day_it_is_there_once(signed_in: Visitor, alice: User) -> None:
    todo_id = create(alice, "Dune")
    service.delete_todo(alice.id, todo_id)
    make_old("23 hours 59 minutes")
    for _ in range(2):
        assert signed_in.submit(f"/todos/{todo_id}/restore").status_code == 302
    assert listed(alice) == ["Dune"]


def test_clearing_is_undone_for_exactly_what_it_cleared(signed_in: Visitor, alice: User, bob: User) -> None:
    service.clear_completed(bob.id)
    create(bob, "foreign", completed=True)
    service.clear_completed(bob.id)
    deleted = create(alice, "deleted before", completed=True)
    service.delete_todo(alice.id, deleted)
    create(alice, "cleared before", completed=True)
    service.clear_completed(alice.id)
    opened = create(alice, "open")
    for number in range(3):
        create(alice, f"{number}", completed=True)
    before = row_counts()
    kept = create(bob, "foreign and done", completed=True)
    assert signed_in.submit("/todos/clear-completed").location == "/todos"
    assert stored_ids() == [opened, kept]
    service.clear_completed(bob.id)
    create(alice, "done since", completed=True)
    service.delete_todo(alice.id, create(alice, "deleted since", completed=True))
    undo(signed_in)
    assert listed(alice) == ["done since", "2", "1", "0", "open"]
    assert listed(bob) == []
    assert row_counts()["todos"] == before["todos"] + 3


def test_after_a_day_it_is_404_and_so_is_a_moment_at_which_nothing_was_cleared(signed_in: Visitor, alice: User) -> None:
    todo_id, done = create(alice, "Dune"), create(alice, "done", completed=True)
    service.delete_todo(alice.id, todo_id)
    moment, _ = service.clear_completed(alice.id)
    for nothing in (1, 2**63 - 1):
        assert signed_in.submit(f"/todos/clear-completed/{nothing}/undo").status_code == 404, nothing
    make_old("1 day 1 second")
    then = moment - 86_401_000_000  # microseconds; make_old has moved what was cleared
    for path in (f"{todo_id}/restore", f"{done}/restore", f"clear-completed/{then}/undo"):
        assert signed_in.submit(f"/todos/{path}").status_code == 404, path
    assert listed(alice) == []
