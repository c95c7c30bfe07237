"""Writing, listing, completing, changing and deleting todos, one use case a function; somebody else's is not there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Delete, Row, Update, bindparam, case, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from app.accounts.service import AccountGone
from app.extensions import db
from app.todos.models import Todo

PAGE_SIZE = 50
BIGINT_MAX = 2**63 - 1
CURSOR = re.compile(r"(0|-?[1-9][0-9]{0,18})-([1-9][0-9]{0,18})")

TodoRow = Row[*tuple[Any, ...]]  # the columns that the statement names


class TodoNotFound(Exception):
    """No such todo, or somebody else's, or deleted."""


@dataclass(frozen=True)
class Cursor:
    """Where a page of the list ended: the place of its last todo in the order of the list."""

    position: int
    todo_id: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor of "0-17" or "-3-17".

        Raises:
            ValueError: it is not one that `str()` made.
        """
        match = CURSOR.fullmatch(text)
        if match is None:
            raise ValueError(text)
        position, todo_id = int(match[1]), int(match[2])
        if not -BIGINT_MAX - 1 <= position <= BIGINT_MAX or todo_id > BIGINT_MAX:
            raise ValueError(text)
        return cls(position, todo_id)

    def __str__(self) -> str:
        return f"{self.position}-{self.todo_id}"


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE todos, and where the older ones begin if there are any."""

    todos: Sequence[TodoRow]
    older: Cursor | None


START = Cursor(BIGINT_MAX, BIGINT_MAX)

_PAGE = (
    select(Todo.id, Todo.description, Todo.completed, Todo.position, Todo.created_at, Todo.completed_at)
    .where(
        Todo.user_id == bindparam("owner"),
        tuple_(Todo.position, Todo.id) < tuple_(bindparam("position"), bindparam("todo_id")),
    )
    .order_by(Todo.position.desc(), Todo.id.desc())
    .limit(PAGE_SIZE + 1)
)
_PAGE_OF_STATE = _PAGE.where(Todo.completed == bindparam("completed"))
_ONE = select(Todo.id, Todo.description, Todo.completed, Todo.created_at, Todo.completed_at).where(
    Todo.user_id == bindparam("owner"), Todo.id == bindparam("todo_id")
)
# Completed twice, in two windows say, it stays completed since the first time.
_COMPLETED_AT = case((Todo.completed, Todo.completed_at), else_=func.now())


def create_todo(user_id: int, description: str) -> int:
    """Store an open todo and return its id. Raises: AccountGone."""
    new_todo = insert(Todo).values(user_id=user_id, description=description).returning(Todo.id)
    try:
        todo_id = db.session.execute(new_todo).scalar_one()
    except IntegrityError as error:  # the only constraint that these values can violate is the owner's
        db.session.rollback()
        raise AccountGone from error
    db.session.commit()
    return todo_id


def list_todos(user_id: int, after: Cursor = START, *, completed: bool | None = None) -> Page:
    """A page of the user's todos, the newest first.

    Args:
        completed: the done ones alone, or the open ones alone; None lists both.
    """
    parameters = {"owner": user_id, "position": after.position, "todo_id": after.todo_id}
    if completed is None:
        rows = db.session.execute(_PAGE, parameters).all()
    else:
        rows = db.session.execute(_PAGE_OF_STATE, {**parameters, "completed": completed}).all()
    todos = rows[:PAGE_SIZE]
    older = Cursor(todos[-1].position, todos[-1].id) if len(rows) > PAGE_SIZE else None
    return Page(todos, older)


def get_todo(user_id: int, todo_id: int) -> TodoRow:
    """Raises: TodoNotFound."""
    todo = db.session.execute(_ONE, {"owner": user_id, "todo_id": todo_id}).one_or_none()
    if todo is None:
        raise TodoNotFound
    return todo


def change_todo(user_id: int, todo_id: int, *, description: str | None = None, completed: bool | None = None) -> None:
    """Change what is not None and nothing else, so that a new text and a tick from two windows both stay.

    Raises:
        TodoNotFound
    """
    change = update(Todo).where(Todo.user_id == user_id, Todo.id == todo_id)
    if description is not None:
        change = change.values(description=description)
    if completed is not None:
        change = change.values(completed=completed, completed_at=_COMPLETED_AT if completed else None)
    if not _apply(change):
        raise TodoNotFound


def delete_todo(user_id: int, todo_id: int) -> None:
    """Delete a todo for good. Raises: TodoNotFound."""
    if not _apply(delete(Todo).where(Todo.user_id == user_id, Todo.id == todo_id)):
        raise TodoNotFound


def clear_completed(user_id: int) -> None:
    """Delete all the user's done todos for good."""
    db.session.execute(delete(Todo).where(Todo.user_id == user_id, Todo.completed))
    db.session.commit()


def _apply(change: Update | Delete) -> bool:
    """Run a change of one todo; whether there was a todo to change."""
    found = db.session.scalar(change.returning(Todo.id)) is not None
    db.session.commit()
    return found
