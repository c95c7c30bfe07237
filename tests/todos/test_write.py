"""Creating a todo: what is stored as it was typed, and what is refused."""

import re

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.todos import listing, service
from app.todos.models import Todo
from tests.database import row_counts
from tests.visitor import Visitor


def test_it_works(signed_in: Visitor, alice: User) -> None:
    assert signed_in.submit("/todos", description="Buy three books").location == "/todos"
    assert "Buy three books" in signed_in.get("/todos").text
    [todo] = listing.list_todos(alice.id).todos
    assert (todo.completed, todo.rank, todo.due_on) == (False, todo.id, None)
    assert service.get_todo(alice.id, todo.id).completed_at is None


def test_it_refuses_and_keeps_what_was_typed(signed_in: Visitor) -> None:
    for description in ["x" * 201, "", "\r\n \t", "bu\x1by", "two\r\nlines"]:
        before = row_counts()
        answer = signed_in.submit("/todos", description=description)
        assert answer.status_code == 422, description
        assert '<p class="error" id="description-error">' in answer.text, description
        assert '<a href="#description">' in answer.text, description
        assert description.strip()[:2] in answer.text, description
        assert row_counts() == before, description


def test_the_field_has_the_focus_after_adding_and_only_then(signed_in: Visitor) -> None:
    field = re.compile(r'<input [^>]*autofocus[^>]* id="description"')
    assert not field.search(signed_in.get("/todos").text)
    signed_in.submit("/todos", description="books")
    assert field.search(signed_in.get("/todos").text)
    assert not field.search(signed_in.get("/todos").text)


def test_lengths_are_counted_in_code_points_of_composed_hangul_without_the_space_around(signed_in: Visitor) -> None:
    for description in ["😀" * 200, f"  {'x' * 200}\r\n", "\u1103\u1161\u11af" * 200]:
        assert signed_in.submit("/todos", description=description).status_code == 302, description
    assert db.session.scalar(select(Todo.description).order_by(Todo.id.desc())) == "달" * 200  # composed


def test_any_visible_text_is_stored_as_it_was_typed_and_is_no_xss(signed_in: Visitor, alice: User) -> None:
    for text in ["<script>alert(1)</script>", "%s %d \uffff", 'a" onfocus="alert(1)']:
        assert signed_in.submit("/todos", description=text).status_code == 302, text
        todo = listing.list_todos(alice.id).todos[0]
        assert todo.description == text, text
        page = signed_in.get("/todos").text
        assert "<script>" not in page, text
        assert 'onfocus="' not in page, text


def test_unknown_fields_are_not_stored(signed_in: Visitor, alice: User, bob: User) -> None:
    answer = signed_in.submit("/todos", description="mine", user_id=f"{bob.id}", completed="1", position="9", id="9")
    assert answer.status_code == 302
    [todo] = listing.list_todos(alice.id).todos
    assert (todo.completed, todo.rank) == (False, todo.id)
    assert listing.list_todos(bob.id).todos == []


def test_a_todo_of_a_deleted_account_is_refused(alice: User) -> None:
    db.session.delete(alice)
    db.session.commit()
    with pytest.raises(AccountGone):
        service.create_todo(alice.id, "late")
    assert row_counts()["todos"] == 0
