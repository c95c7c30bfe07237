"""Todos in an export and back."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sqlalchemy import ScalarSelect, bindparam, func, select, update

from app.extensions import db
from app.portable import Arrivals, Item, Reader, Unfit
from app.todos.models import DESCRIPTION_LENGTH, EARLIEST, LATEST, UNPLACED, Todo

NAME = "todos"
FIELDS = ("description", "completed", "due_on", "created_at", "completed_at")
BATCH = 500

_OWN = (Todo.user_id == bindparam("owner"), Todo.deleted_at.is_(None))
_COUNT = select(func.count()).select_from(Todo).where(*_OWN)
FIGURES: Mapping[str, ScalarSelect[Any]] = {
    "todos": _COUNT.scalar_subquery(),
    "todos_done": _COUNT.where(Todo.completed).scalar_subquery(),
}

_ALL = select(*(Todo.__table__.c[name] for name in FIELDS)).where(*_OWN).order_by(Todo.position, Todo.id)
# One that was deleted is nowhere to be seen, so it comes back.
_ARRIVALS = Arrivals(Todo, FIELDS, same=("created_at", "description"), batch=BATCH, counts=Todo.deleted_at.is_(None))


# As each new todo stands on top: see order.py.
_PLACE = update(Todo).where(Todo.user_id == bindparam("owner"), Todo.position == UNPLACED).values(position=Todo.id)


def dump(user_id: int) -> Iterator[Item]:
    """The one that stands lowest comes first. None says its place: what is stored later stands higher."""
    rows = db.session.execute(_ALL, {"owner": user_id}, execution_options={"yield_per": BATCH})
    return (dict(row) for row in rows.mappings())


def load(user_id: int, items: Iterable[object]) -> int:
    new = _ARRIVALS.store(user_id, map(_row, items))
    db.session.execute(_PLACE, {"owner": user_id})
    return new


def _row(item: object) -> Item:
    todo = Reader(item, FIELDS)
    description = todo.line("description", DESCRIPTION_LENGTH)
    if not description:
        raise Unfit("description")
    return {
        "description": description,
        "completed": todo.flag("completed"),
        "due_on": todo.optional(partial(todo.day, earliest=EARLIEST, latest=LATEST), "due_on"),
        "created_at": todo.moment("created_at"),
        "completed_at": todo.optional(todo.moment, "completed_at"),
    }
