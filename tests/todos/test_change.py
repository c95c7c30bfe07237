"""Add a todo, edit, complete, delete and restore it: a change leaves alone what was not sent, an undo what was."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from tests.database import commit, row_counts, same_row_counts
from tests.visitor import Visitor

EDITOR = re.compile(r'<form class="editor[^"]*" method="post" action="([^"]+)"')


@pytest.fixture
def todo_id(alice: User) -> int:
    return service.create_todo(alice.id, "Dune")


def test_the_list_has_an_editor_in_the_place_of_the_todo(signed_in: Visitor, alice: User, todo_id: int) -> None:
    service.create_todo(alice.id, "another")
    assert f'href="/todos?show=open&amp;edit={todo_id}"' in signed_in.get("/todos?show=open").text
    editing = signed_in.get(f"/todos?edit={todo_id}&show=open").text
    assert EDITOR.findall(editing) == [f"/todos/{todo_id}?show=open"]
    assert re.search(r'<input autofocus id="changed-description"[^>]* value="Dune">', editing)
    assert '<label for="changed-description">Todo</label>' in editing
    assert '<a class="button" href="/todos?show=open" data-cancel>Cancel</a>' in editing
    assert "another" in editing


def test_an_edit_of_a_todo_that_is_not_on_the_page_is_ignored(signed_in: Visitor, todo_id: int) -> None:
    for edited in ["", "x", "0", "9" * 19]:
        answer = signed_in.get("/todos", query_string={"edit": edited})
        assert answer.status_code == 200, edited
        assert "Dune" in answer.text, edited
        assert not EDITOR.findall(answer.text), edited


def test_it_refuses_and_keeps_what_was_typed_or_offers_what_is_stored(signed_in: Visitor, todo_id: int) -> None:
    for description in ["x" * 501, "bu\x00y", "bu\x1by", "two\nlines", "", "\r\n"]:
        answer = signed_in.submit(f"/todos/{todo_id}?show=open", description=description)
        assert answer.status_code == 422, description
        assert '<p class="error" id="changed-description-error">' in answer.text, description
        assert '<a href="#changed-description">' in answer.text, description
        assert f'action="/todos/{todo_id}?show=open"' in answer.text, description
        assert f'value="{description.strip()[:2] or "Dune"}' in answer.text, description
        assert row_of(todo_id) == ("Dune", False, None), description


def test_the_page_of_a_refused_edit_shows_the_stored_todo_when_reloaded(signed_in: Visitor, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}?show=open", description="").status_code == 422
    page = signed_in.get(f"/todos/{todo_id}?show=open")
    assert page.status_code == 200
    assert EDITOR.findall(page.text) == [f"/todos/{todo_id}?show=open"]
    assert 'value="Dune"' in page.text
    assert "error" not in page.text


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def row_of(todo_id: int) -> tuple[str, bool, datetime | None]:
    row = db.session.execute(
        select(Todo.description, Todo.completed, Todo.completed_at).where(Todo.id == todo_id)
    ).one()
    return row.description, row.completed, row.completed_at


def set_completed(todo_id: int, completed: bool, completed_at: datetime | None) -> None:
    commit(update(Todo).where(Todo.id == todo_id).values(completed=completed, completed_at=completed_at))


def test_the_time_of_completing_is_stored_and_deleted(signed_in: Visitor, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", completed="1").location == "/todos"
    assert row_of(todo_id) == ("Dune", True, db.session.scalar(select(func.now())))
    assert signed_in.submit(f"/todos/{todo_id}", completed="0").location == "/todos"
    assert row_of(todo_id) == ("Dune", False, None)


def test_another_value_is_422_and_stores_nothing(signed_in: Visitor, todo_id: int) -> None:
    wrong: list[dict[str, Any]] = [{"completed": value} for value in ("", "2", " 1", ["1", "0"])]
    for fields in (*wrong, {"title": "neither field"}, {"description": " ", "completed": "1"}):
        answer = signed_in.submit(f"/todos/{todo_id}", **fields)
        assert answer.status_code == 422, fields
        assert 'value="Dune"' in answer.text, fields
        assert row_of(todo_id) == ("Dune", False, None), fields
    maybe = {"description": "better books", "completed": "maybe", "csrf_token": signed_in.csrf_token()}
    answer = signed_in.post(f"/todos/{todo_id}", data=maybe)
    assert answer.status_code == 422
    assert "better books" in answer.text
    refusal = signed_in.post(f"/todos/{todo_id}", data=maybe, headers={"Accept": "application/json"})
    assert (refusal.status_code, refusal.content_type) == (422, "application/problem+json")
    assert row_of(todo_id) == ("Dune", False, None)


def test_completed_twice_or_edited_it_keeps_the_first_time(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, True, LONG_AGO)
    assert signed_in.submit(f"/todos/{todo_id}", completed="1").status_code == 302
    assert row_of(todo_id) == ("Dune", True, LONG_AGO)
    signed_in.submit(f"/todos/{todo_id}", description="four books")
    assert row_of(todo_id) == ("four books", True, LONG_AGO)


def test_the_time_of_an_open_todo_is_ignored(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, False, LONG_AGO)
    assert "2020" not in signed_in.get("/todos").text
    signed_in.submit(f"/todos/{todo_id}", completed="1")
    _, _, completed_at = row_of(todo_id)
    assert completed_at
    assert completed_at > LONG_AGO + timedelta(days=1)


def test_a_done_todo_without_a_time_is_shown_as_done(signed_in: Visitor, todo_id: int) -> None:
    set_completed(todo_id, True, None)
    page = signed_in.get("/todos?show=done").text
    assert f'<li id="todo-{todo_id}" class="done">' in page
    assert "<time" not in page


def test_it_returns_to_the_list_on_the_screen(signed_in: Visitor, todo_id: int) -> None:
    below = f"{todo_id + 1}-{todo_id + 1}"
    page = signed_in.get(f"/todos?show=open&before={below}").text
    fields = {"completed": "1", "next": "//evil.example"}  # a parameter of other pages, which this one does not read
    for action, query in (("", "?show=done&before=0-99"), ("/delete", "?sort=due")):
        assert f'action="/todos/{todo_id}{action}?show=open&amp;before={below}"' in page
        assert signed_in.submit(f"/todos/{todo_id}{action}{query}", **fields).location == f"/todos{query}"


def test_a_list_that_does_not_exist_is_400_and_changes_nothing(signed_in: Visitor, alice: User, todo_id: int) -> None:
    deleted = service.create_todo(alice.id, "deleted")
    service.delete_todo(alice.id, deleted)
    service.change_todo(alice.id, service.create_todo(alice.id, "done"), completed=True)
    before = [(todo.id, todo.description, todo.completed) for todo in listing.list_todos(alice.id).todos]
    fields = {"completed": "1", "direction": "up"}
    for query in ("show=//evil.example", "show=", "sort=x", "before=//evil.example", "before=0-1%0d%0aX:1"):
        actions = (
            f"/{todo_id}",
            f"/{todo_id}/move",
            f"/{todo_id}/delete",
            f"/{todo_id}/reopen",
            f"/{deleted}/restore",
            "/clear-completed",
        )
        for action in ("", *actions):
            assert signed_in.submit(f"/todos{action}?{query}", description="x", **fields).status_code == 400, action
        assert signed_in.get(f"/todos/{todo_id}?{query}").status_code == 400
    assert [(todo.id, todo.description, todo.completed) for todo in listing.list_todos(alice.id).todos] == before


def test_a_new_one_is_open_and_stands_by_its_id(signed_in: Visitor, alice: User) -> None:
    assert signed_in.submit("/todos", description="Buy three books").location == "/todos"
    assert "Buy three books" in signed_in.get("/todos").text
    [todo] = listing.list_todos(alice.id).todos
    assert (todo.completed, todo.rank, todo.due_on) == (False, todo.id, None)
    assert service.get_todo(alice.id, todo.id).completed_at is None


def test_a_new_one_is_refused_and_keeps_what_was_typed(signed_in: Visitor) -> None:
    with same_row_counts():
        for description in ["x" * 501, "", "\r\n \t", "bu\x1by", "two\r\nlines"]:
            answer = signed_in.submit("/todos", description=description)
            assert answer.status_code == 422, description
            assert '<p class="error" id="description-error">' in answer.text, description
            assert '<a href="#description">' in answer.text, description
            assert description.strip()[:2] in answer.text, description


def test_the_field_has_the_focus_after_adding_and_only_then(signed_in: Visitor) -> None:
    field = re.compile(r'<input [^>]*autofocus[^>]* id="description"')
    assert not field.search(signed_in.get("/todos").text)
    signed_in.submit("/todos", description="Dune")
    assert field.search(signed_in.get("/todos").text)
    assert not field.search(signed_in.get("/todos").text)


def test_lengths_are_counted_in_code_points_of_composed_hangul_without_the_space_around(signed_in: Visitor) -> None:
    for description in ["😀" * 500, f"  {'x' * 500}\r\n", "\u1103\u1161\u11af" * 500]:
        assert signed_in.submit("/todos", description=description).status_code == 302, description
    assert db.session.scalar(select(Todo.description).order_by(Todo.id.desc())) == "달" * 500  # composed


def test_any_visible_text_is_stored_as_it_was_typed_and_is_no_xss(signed_in: Visitor, alice: User) -> None:
    for typed in ["<script>alert(1)</script>", "%s %d \uffff", 'a" onfocus="alert(1)']:
        assert signed_in.submit("/todos", description=typed).status_code == 302, typed
        assert listing.list_todos(alice.id).todos[0].description == typed, typed
        page = signed_in.get("/todos").text
        assert "<script>" not in page, text
        assert 'onfocus="' not in page, text


def test_unknown_fields_are_not_stored(signed_in: Visitor, alice: User, bob: User) -> None:
    answer = signed_in.submit("/todos", description="mine", user_id=f"{bob.id}", completed="1", position="9", id="9")
    assert answer.status_code == 302
    [todo] = listing.list_todos(alice.id).todos
    assert (todo.completed, todo.rank) == (False, todo.id)
    assert listing.list_todos(bob.id).todos == []


def test_a_change_for_a_deleted_account_is_refused(alice: User) -> None:
    db.session.delete(alice)
    db.session.commit()
    with pytest.raises(AccountGone):
        service.create_todo(alice.id, "late")
    with pytest.raises(AccountGone):
        service.clear_completed(alice.id)
    assert row_counts()["todos"] == 0


def create(user: User, description: str, *, completed: bool = False) -> int:
    todo_id = service.create_todo(user.id, description)
    service.change_todo(user.id, todo_id, completed=completed)
    return todo_id


def stored_ids() -> list[int]:
    """Return the ids of todos that are not deleted."""
    return sorted(db.session.scalars(select(Todo.id).where(Todo.deleted_at.is_(None))))


def test_one_is_deleted(signed_in: Visitor, alice: User) -> None:
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
    for action in ("", "/reopen", "/delete", "/move"):
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
        assert "<b>" not in page.partition('id="add"')[0], "no view counts it"


def test_a_long_or_hostile_description_fits_into_the_message(signed_in: Visitor, alice: User) -> None:
    for description in ("😀" * 500, "<b>" * 166):
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


UNDO = re.compile(r'<div class="message" role="status">.*?<form method="post" action="([^"]+)">', re.DOTALL)


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
    assert "“\u2068Dune\u2069” is back." in signed_in.get("/todos").text


def test_completing_is_undone_and_done_twice_or_undone_twice_it_is_the_same(signed_in: Visitor, alice: User) -> None:
    todo_id = create(alice, "Dune")
    for _ in range(2):
        signed_in.submit(f"/todos/{todo_id}", completed="1")
    page = signed_in.get("/todos").text
    assert UNDO.findall(page) == [f"/todos/{todo_id}/reopen"], "it is offered once"
    assert "“\u2068Dune\u2069” completed." in page
    for _ in range(2):
        assert signed_in.submit(f"/todos/{todo_id}/reopen").location == "/todos"
        assert row_of(todo_id) == ("Dune", False, None)
    assert "“\u2068Dune\u2069” reopened." in signed_in.get("/todos").text


def test_a_todo_that_is_opened_again_or_only_edited_offers_nothing_to_undo(signed_in: Visitor, alice: User) -> None:
    todo_id, other = create(alice, "Dune"), create(alice, "other")
    signed_in.submit(f"/todos/{other}/delete")
    for fields in ({"completed": "1"}, {"completed": "0"}, {"description": "more books"}):
        signed_in.submit(f"/todos/{todo_id}", **fields)
    assert UNDO.findall(signed_in.get("/todos").text) == [f"/todos/{other}/restore"], (
        "what was deleted is another matter"
    )


def test_many_ticks_before_a_page_is_shown_offer_the_last_one(signed_in: Visitor, alice: User) -> None:
    todo_ids = [create(alice, "한" * 60) for _ in range(30)]
    for todo_id in todo_ids:
        signed_in.submit(f"/todos/{todo_id}", completed="1")
    assert UNDO.findall(signed_in.get("/todos").text) == [f"/todos/{todo_ids[-1]}/reopen"]


@pytest.mark.parametrize(
    ("action", "query"),
    [("{todo}/delete", "?before=9-9"), ("{todo}", "?sort=due"), ("clear-completed", "?show=done&sort=due")],
)
def test_what_can_be_undone_returns_to_the_list_on_the_screen(
    signed_in: Visitor, alice: User, action: str, query: str
) -> None:
    todo_id = create(alice, "Dune", completed=True)
    signed_in.submit(f"/todos/{action.format(todo=todo_id)}{query}", completed="1")
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
