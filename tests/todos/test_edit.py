"""Editing a todo within the list: a partial update, which leaves alone what was not sent."""

import re

import pytest
from flask import Flask

from app.accounts.models import User
from app.todos import listing, service
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor
from tests.web.test_errors import WRONG_IDS

EDITOR = re.compile(r'<form class="editor[^"]*" method="post" action="([^"]+)"')


@pytest.fixture
def todo_id(alice: User) -> int:
    return service.create_todo(alice.id, "books")


def stored(user: User, todo_id: int) -> tuple[str, bool]:
    todo = service.get_todo(user.id, todo_id)
    return todo.description, todo.completed


def test_it_works(signed_in: Visitor, alice: User, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", description=" four books ").location == "/todos"
    assert stored(alice, todo_id) == ("four books", False)


def test_the_list_has_an_editor_in_the_place_of_the_todo(signed_in: Visitor, alice: User, todo_id: int) -> None:
    service.create_todo(alice.id, "another")
    page = signed_in.get("/todos?show=open").text
    assert f'href="/todos?show=open&amp;edit={todo_id}"' in page
    editing = signed_in.get(f"/todos?edit={todo_id}&show=open").text
    assert EDITOR.findall(editing) == [f"/todos/{todo_id}?show=open"]
    assert re.search(r'<input autofocus id="changed-description"[^>]* value="books">', editing)
    assert '<label for="changed-description">Todo</label>' in editing
    assert '<a class="button" href="/todos?show=open" data-cancel>Cancel</a>' in editing
    assert "another" in editing


@pytest.mark.parametrize("edited", ["", "x", "0", "-1", "9" * 19, "9" * 4000, "١", "//evil.example"])
def test_an_edit_of_a_todo_that_is_not_on_the_page_is_ignored(signed_in: Visitor, todo_id: int, edited: str) -> None:
    answer = signed_in.get("/todos", query_string={"edit": edited})
    assert answer.status_code == 200
    assert "books" in answer.text
    assert not EDITOR.findall(answer.text)


def test_an_edit_of_another_users_todo_is_ignored(app: Flask, bob: User, todo_id: int) -> None:
    page = browser_of(app, bob).get(f"/todos?edit={todo_id}").text
    assert "books" not in page
    assert not EDITOR.findall(page)


def test_a_new_text_leaves_a_done_todo_done(signed_in: Visitor, alice: User, todo_id: int) -> None:
    service.change_todo(alice.id, todo_id, completed=True)
    done_at = service.get_todo(alice.id, todo_id).completed_at
    signed_in.submit(f"/todos/{todo_id}", description="four books")
    assert stored(alice, todo_id) == ("four books", True)
    assert service.get_todo(alice.id, todo_id).completed_at == done_at


def test_both_at_once(signed_in: Visitor, alice: User, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", description="four books", completed="1").status_code == 302
    assert stored(alice, todo_id) == ("four books", True)


@pytest.mark.parametrize("description", ["x" * 201, "bu\x00y", "bu\x1by", "two\nlines"])
def test_it_refuses_and_keeps_what_was_typed(signed_in: Visitor, alice: User, todo_id: int, description: str) -> None:
    answer = signed_in.submit(f"/todos/{todo_id}?show=open", description=description)
    assert answer.status_code == 422
    assert '<p class="error" id="changed-description-error">' in answer.text
    assert '<a href="#changed-description">' in answer.text
    assert f'action="/todos/{todo_id}?show=open"' in answer.text
    assert f'value="{description[:2]}' in answer.text
    assert stored(alice, todo_id) == ("books", False)


@pytest.mark.parametrize("description", ["", "  ", "\r\n"])
def test_an_empty_text_is_refused_and_the_stored_one_offered(
    signed_in: Visitor, alice: User, todo_id: int, description: str
) -> None:
    answer = signed_in.submit(f"/todos/{todo_id}", description=description)
    assert answer.status_code == 422
    assert 'value="books"' in answer.text
    assert stored(alice, todo_id) == ("books", False)


def test_a_bad_text_beside_a_tick_stores_neither(signed_in: Visitor, alice: User, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", description="", completed="1").status_code == 422
    assert stored(alice, todo_id) == ("books", False)


def test_a_form_with_neither_field_is_422(signed_in: Visitor, alice: User, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}", title="x").status_code == 422
    assert stored(alice, todo_id) == ("books", False)


def test_unknown_fields_are_not_stored(signed_in: Visitor, alice: User, bob: User, todo_id: int) -> None:
    fields = {"user_id": f"{bob.id}", "position": "9", "completed_at": "2020-01-01"}
    assert signed_in.submit(f"/todos/{todo_id}", description="books", **fields).status_code == 302
    [todo] = listing.list_todos(alice.id).todos
    assert (todo.rank, service.get_todo(alice.id, todo_id).completed_at) == (todo_id, None)


@pytest.mark.parametrize("description", ["mine now", "", "x" * 201])
def test_another_users_todo_is_404_and_unchanged(
    app: Flask, alice: User, bob: User, todo_id: int, description: str
) -> None:
    answer = browser_of(app, bob).submit(f"/todos/{todo_id}", description=description)
    assert answer.status_code == 404
    assert "books" not in answer.text
    assert stored(alice, todo_id) == ("books", False)


@pytest.mark.parametrize("action", ["", "/delete", "/move", "/restore"])
@pytest.mark.parametrize("wrong_id", WRONG_IDS)
def test_an_id_that_no_row_can_have_is_404(signed_in: Visitor, todo_id: int, wrong_id: str, action: str) -> None:
    before = row_counts()
    assert signed_in.submit(f"/todos/{wrong_id}{action}", description="x").status_code == 404
    assert row_counts() == before


def test_the_page_of_a_refused_edit_shows_the_stored_todo_when_reloaded(signed_in: Visitor, todo_id: int) -> None:
    assert signed_in.submit(f"/todos/{todo_id}?show=open", description="").status_code == 422
    page = signed_in.get(f"/todos/{todo_id}?show=open")
    assert page.status_code == 200
    assert EDITOR.findall(page.text) == [f"/todos/{todo_id}?show=open"]
    assert 'value="books"' in page.text
    assert "error" not in page.text


def test_the_page_of_another_users_todo_is_404(app: Flask, bob: User, todo_id: int) -> None:
    answer = browser_of(app, bob).get(f"/todos/{todo_id}")
    assert answer.status_code == 404
    assert "books" not in answer.text


@pytest.mark.parametrize("query", ["show=all", "sort=x", "before=x"])
def test_an_edit_from_a_list_that_does_not_exist_is_400(signed_in: Visitor, todo_id: int, query: str) -> None:
    assert signed_in.get(f"/todos/{todo_id}?{query}").status_code == 400
