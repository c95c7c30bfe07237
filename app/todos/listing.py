"""The list of todos, in the reader's own order or by day, a page at a time.

Either order is a number that falls from the top of the list to its end, the rank, and the id where two are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal, select, true, tuple_

from app.extensions import db
from app.keyset import BIGINTS, IDS, Cursor, cut_page
from app.todos.models import Todo
from app.todos.service import NOT_DELETED, TodoRow

PAGE_SIZE = 50
DAY_ZERO = date(2000, 1, 1)
NO_DAY, DONE = -(10**6), -2 * 10**6  # below every day: what has none, and below that what is done


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE todos, where the older ones begin if there are any, and how many there are in all."""

    todos: Sequence[TodoRow]
    older: Cursor | None
    open: int
    done: int


KEY_BOUNDS = (BIGINTS, IDS)  # rank, id
START = Cursor.start(KEY_BOUNDS)

# What is due first stands first. No index knows this order: the owner's rows are sorted.
_URGENCY = case((Todo.completed, DONE), else_=func.coalesce(literal(DAY_ZERO) - Todo.due_on, NO_DAY))
_RANKS: dict[str | None, ColumnElement[int]] = {None: Todo.position.expression, "due": _URGENCY}


def page_rows(rank: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    columns = (Todo.id, Todo.description, Todo.due_on, Todo.completed, Todo.completed_at, rank.label("rank"))
    below = tuple_(rank, Todo.id) < tuple_(bindparam("rank"), bindparam("todo_id"))
    return (
        select(*columns)
        .where(Todo.user_id == bindparam("owner"), NOT_DELETED, below, *conditions)
        .order_by(rank.desc(), Todo.id.desc())
        .limit(PAGE_SIZE + 1)
    )


def _with_counts(rows: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Beside each row how many todos are open and done; without rows, one row of these alone."""
    counts = (
        select(func.count().filter(~Todo.completed).label("open"), func.count().filter(Todo.completed).label("done"))
        .where(Todo.user_id == bindparam("owner"), NOT_DELETED)
        .subquery()
    )
    page = rows.subquery()
    joined = select(counts, page).select_from(counts.outerjoin(page, true()))
    return joined.order_by(page.c.rank.desc(), page.c.id.desc())


_PAGES = {
    (sort, completed): _with_counts(page_rows(rank, *([] if completed is None else [Todo.completed == completed])))
    for sort, rank in _RANKS.items()
    for completed in (None, False, True)
}


def list_todos(user_id: int, after: Cursor = START, *, completed: bool | None = None, sort: str | None = None) -> Page:
    """A page of the user's todos.

    Args:
        completed: the done ones alone, or the open ones alone; None lists both.
        sort: None is the reader's own order, the newest first until something was moved; "due" is by day.
    """
    rank, todo_id = after.key
    rows = db.session.execute(_PAGES[sort, completed], {"owner": user_id, "rank": rank, "todo_id": todo_id}).all()
    found = [row for row in rows if row.id]
    todos, older = cut_page(found, PAGE_SIZE, lambda todo: (todo.rank, todo.id))
    return Page(todos, older, rows[0].open, rows[0].done)
