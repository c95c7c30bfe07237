"""A page of a search in the order of the list, in bounded steps: for several tags, and beyond what relevance.py sorted.

One of three parts finds the page, the first that can:

- The newest notes. A word that is in many of them has filled the page by then.
- The candidates, if they are few: all of them, sorted.
- A walk through the notes in the order of the list. There are many candidates, so it soon meets a hit.

Each ends at a fixed number of notes, so no search reads more, however many notes there are. A walk that ends before the
page is full says where, and the next page goes on there. So it is for a word that is in old notes alone, or in few
while all its n-grams are in many.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Label,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from app.notes import search_parts as parts
from app.notes.models import Note
from app.notes.search_parts import CANDIDATES, COUNTED, CURSOR, KEY, NEWEST, WALKED


def _list(condition: ColumnElement[bool], limit: int) -> Select[bool, datetime, int]:
    return parts.in_list_order(and_(condition, tuple_(*KEY) < CURSOR)).limit(limit)


def _after_cursor(rows: CTE, condition: ColumnElement[bool]) -> Select[Any]:
    key = (rows.c.pinned, rows.c.created_at, rows.c.id)
    return select(*key).where(condition, tuple_(*key) < CURSOR).order_by(*parts.newest_first(rows))


def _hits_of_newest() -> CTE:
    newest = _list(true(), NEWEST).subquery("newest")
    hits = parts.hits_among(newest, select(*KEY))
    return hits.order_by(*parts.newest_first(newest)).limit(COUNTED + 1).cte("hits_of_newest")


def search(shown: Select[Any], size: int) -> tuple[CTE, *tuple[Label[Any], ...]]:
    """The hits after the cursor in the order of the list, and figures beside them.

    PostgreSQL does not run a part whose condition is false, and stops the others when the page is full.

    Args:
        shown: the columns of notes that the page shows.
        size: rows at most.

    Returns: the page, and four columns.
        found: hits; COUNTED + 1 if there are more.
        is_least: there may be more hits than `found`.
        stopped_at: if a walk ended before the page was full, the sort key of its last note, as cursor.key_of() has it.
        after_hit: whether the cursor is a hit. It is not where a walk ended.
    """
    newest, candidates = _hits_of_newest(), parts.candidates(CANDIDATES + 1)
    are_enough, are_few = parts.number(newest) >= size, parts.are_few(candidates)
    walk = _list(and_(not_(are_enough), not_(are_few)), WALKED)
    found_by = (
        _after_cursor(newest, are_enough),
        _after_cursor(candidates, and_(not_(are_enough), are_few)),
        walk,
    )
    key = union_all(*(part.subquery().select() for part in found_by)).subquery("key")
    page = parts.hits_among(key, shown).order_by(*parts.newest_first(key)).limit(size).cte("page")

    hits = parts.hits_among(candidates, select(Note.id)).limit(COUNTED + 1)
    of_newest = parts.number(newest)
    counted = case((or_(of_newest > COUNTED, not_(parts.IS_INDEXED)), of_newest), else_=parts.number(hits))
    found = select(select(counted.label("number")).cte("found").c.number).scalar_subquery()
    stopped_at = case((parts.number(page) < size, parts.key_of_last(walk, WALKED)))
    return (
        page,
        found.label("found"),
        case((found > COUNTED, True), else_=not_(are_few)).label("is_least"),
        stopped_at.label("stopped_at"),
        exists().where(Note.id == bindparam("note_id"), parts.is_hit()).label("after_hit"),
    )


def number_found(figures: Row[Any], shown: int) -> int:
    """How many notes the search finds, of which so many are shown; of more than COUNTED only what is sure."""
    return max(min(figures.found, COUNTED), shown) if figures.is_least else int(figures.found)
