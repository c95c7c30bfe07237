"""List todos in the user's own order or by due date, and search them, with keyset pagination.

In either order the sort key is the rank, a number that falls from the top of the list to its end, and then the id.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Select, SQLColumnExpression, bindparam, case, func, literal_column, select, true, tuple_
from sqlalchemy.types import ARRAY, Integer, Text

from app.database.statements import fixed
from app.extensions import read
from app.figures import Figures, kept
from app.keyset import BIGINTS, IDS, Cursor, cut_page
from app.search_words import regular_expression
from app.todos.models import EARLIEST, Todo
from app.todos.service import NOT_DELETED, WHOLE, TodoRow

PAGE_SIZE = 50
DUE_COUNTED = 100
DONE_BELOW = 10  # done todos in the folded group below the open ones
KEY_BOUNDS = (BIGINTS, IDS)  # rank, id
START = Cursor.start(KEY_BOUNDS)
DAY_ZERO = date(2000, 1, 1)
NO_DUE_DATE, DONE = -(10**6), -2 * 10**6  # ranks below that of every due date


class TodoPage(NamedTuple):
    """Up to PAGE_SIZE todos, where the older ones start if there are any, and how many are open and done in all."""

    todos: Sequence[TodoRow]
    older: Cursor | None
    open: int
    done: int
    due: int  # today or before; DUE_COUNTED stands for more, too
    has_dates: bool  # of open ones


# The earliest due date first. No index has this order, so the user's rows are sorted.
_URGENCY = case((Todo.completed, DONE), else_=func.coalesce(DAY_ZERO - Todo.due_on, NO_DUE_DATE))
_UNTIL_DUE = literal_column("('2000-01-01'::date - todos.due_on)", Integer)  # as in the index ix_todos_due
_RANKS: dict[str | None, SQLColumnExpression[int]] = {None: Todo.position, "due": _URGENCY}

COLUMNS = (Todo.id, Todo.description, Todo.due_on, Todo.completed)


def page_rows(
    rank: SQLColumnExpression[int], *conditions: SQLColumnExpression[bool], columns: Sequence[Any] = COLUMNS
) -> Select[*tuple[Any, ...]]:
    """Return the rows of a page after the cursor, and one more."""
    below = tuple_(rank, Todo.id) < tuple_(bindparam("rank"), bindparam("todo_id"))
    return (
        select(*columns, rank.label("rank"))
        .where(Todo.user_id == bindparam("owner"), NOT_DELETED, below, *conditions)
        .order_by(rank.desc(), Todo.id.desc())
        .limit(fixed(PAGE_SIZE + 1))
    )


_IS_DATED = (~Todo.completed, Todo.due_on.is_not(None))
_IS_DUE = bindparam("today") <= _UNTIL_DUE
# By the index, so that no more than these are read.
_EARLIEST = (
    select(_IS_DUE.label("is_due"))
    .where(Todo.user_id == bindparam("owner"), NOT_DELETED, *_IS_DATED)
    .order_by(_UNTIL_DUE.desc(), Todo.id.desc())
    .limit(fixed(DUE_COUNTED))
    .subquery()
)


def _with_counts(rows: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Return what a page counts beside each of its rows; where it has none, one row of the counts alone."""
    done, dated = kept(Figures.todos_done), func.count()
    numbers = ((kept(Figures.todos) - done).label("open"), done.label("done"))
    due = (dated.filter(_EARLIEST.c.is_due).label("due"), (dated > 0).label("has_dates"))
    counts = select(*numbers, *due).select_from(_EARLIEST).subquery()
    page = rows.subquery()
    joined = select(counts, page).select_from(counts.outerjoin(page, true()))
    return joined.order_by(page.c.rank.desc(), page.c.id.desc())


_OF_STATE = {None: (), False: (~Todo.completed,), True: (Todo.completed,)}
# No index has the words: of a user's todos, at most the quota, each is looked at.
_FOUND = Todo.description.op("~", is_comparison=True)(func.all(bindparam("words", type_=ARRAY(Text))))
_PAGES = {
    (sort, completed, bool(found), whole): _with_counts(page_rows(rank, *conditions, *found, columns=columns))
    for sort, rank in _RANKS.items()
    for completed, conditions in _OF_STATE.items()
    for found in ((), (_FOUND,))
    for whole, columns in ((False, COLUMNS), (True, WHOLE))
}
_TODAY = _with_counts(page_rows(_UNTIL_DUE, *_IS_DATED, _IS_DUE))

_LATEST_DONE = (
    select(*COLUMNS)
    .where(Todo.user_id == bindparam("owner"), NOT_DELETED, Todo.completed)
    .order_by(Todo.completed_at.desc().nulls_last(), Todo.id.desc())
    .limit(fixed(DONE_BELOW))
)


def list_latest_done(user_id: int) -> Sequence[TodoRow]:
    """Return up to DONE_BELOW of the user's done todos, what was done last first."""
    return read(_LATEST_DONE, {"owner": user_id}).all()


def list_due(user_id: int, today: date, after: Cursor = START) -> TodoPage:
    """Return a page of the user's open todos that are due on `today` or were before, the earliest first."""
    return _page(_TODAY, user_id, after, today)


def list_todos(
    user_id: int,
    after: Cursor = START,
    *,
    completed: bool | None = None,
    sort: str | None = None,
    words: Sequence[str] = (),
    today: date = EARLIEST,
    whole: bool = False,
) -> TodoPage:
    """Return a page of the user's todos: of those that are `completed`, of the open ones, or (None) of both.

    In the user's own order, the newest first until something is moved; or sorted by "due" date. Of a search, those that
    have all of the words. `today` is the day by which `due` counts, whether the rows are WHOLE.
    """
    parameters = {"words": list(map(regular_expression, words))} if words else {}
    return _page(_PAGES[sort, completed, bool(words), whole], user_id, after, today, **parameters)


def _page(statement: Select[*tuple[Any, ...]], user_id: int, after: Cursor, today: date, **words: Any) -> TodoPage:
    rank, todo_id = after.key
    asked = {"owner": user_id, "rank": rank, "todo_id": todo_id, "today": (DAY_ZERO - today).days, **words}
    rows = read(statement, asked).all()
    found = [row for row in rows if row.id]
    todos, older = cut_page(found, PAGE_SIZE, lambda todo: (todo.rank, todo.id))
    return TodoPage(todos, older, rows[0].open, rows[0].done, rows[0].due, rows[0].has_dates)
