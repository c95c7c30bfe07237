"""The first pages of a search by words, sorted by relevance, in bounded steps.

Relevance is decided among the pool: all hits if the candidates are few, else the hits among the newest WALKED notes. A
word that is in many of the NEWEST is taken to be one of many candidates without asking the index.

What is promised: within the pool the most relevant hits come first, and equally relevant ones as in the list. After it
the search goes on as in the list, see search_statement.py. A cursor says where the pool ends, so a note that is
written or deleted between two pages does not move its end, and no hit is lost or shown twice.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Integer,
    Label,
    Select,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)

from app.notes import search_parts as parts
from app.notes.cursor import MOST_RELEVANT
from app.notes.excerpts import NAME_LENGTH
from app.notes.models import Note
from app.notes.search_parts import CANDIDATES, COUNTED, KEY, NEWEST, TEXT, WALKED

LATER = 2  # times the notes of the first page are read for a later one: some were written meanwhile

# As excerpts.name_and_excerpt() has it: a note without a title is named by its first line.
_NAME = case((Note.title == "", func.left(func.split_part(Note.content, "\n", 1), NAME_LENGTH)), else_=Note.title)
_IS_FIRST: BindParameter[bool] = bindparam("is_first")  # page
_IS_WHOLE: BindParameter[bool] = bindparam("is_whole")  # the pool of the first page held all hits
_CURSOR = tuple_(bindparam("relevance"), bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))
_POOL_END = tuple_(bindparam("end_pinned"), bindparam("end_created_at"), bindparam("end_id"))


def _relevance() -> ColumnElement[int]:
    """Words in the name of the note first, and what begins a word before what is in the middle of one."""
    rest = (
        1
        + 2 * cast(parts.matches_any(_NAME, "anywhere"), Integer)
        + cast(parts.matches_all(TEXT, "at_beginning"), Integer)
    )
    return case(
        (parts.matches_all(_NAME, "at_beginning"), MOST_RELEVANT),
        (parts.matches_all(_NAME, "anywhere"), MOST_RELEVANT - 1),
        else_=rest,
    )


def _are_many_of_newest(size: int) -> ColumnElement[bool]:
    newest = parts.in_list_order(true()).limit(NEWEST).subquery("newest")
    return parts.number(parts.hits_among(newest, select(Note.id)).limit(size)) >= size


def _pool(walk: CTE, candidates: CTE, is_by_index: ColumnElement[bool]) -> CTE:
    """The hits of the walk or among the candidates, with the sort key of the search by relevance."""
    found_by = (candidates.select().where(is_by_index), walk.select())
    key = union_all(*(part.subquery().select() for part in found_by)).subquery("key")
    return parts.hits_among(key, select(_relevance().label("relevance"), *KEY)).cte("pool")


def search(shown: Select[Any], size: int) -> tuple[CTE, *tuple[Label[Any], ...]]:
    """The hits of the pool after the cursor, the most relevant first, and figures beside them.

    Args and return value are those of search_statement.search(), but:
        page: has the column `relevance` too.
        stopped_at: where the pool of the first page ends; NULL if it holds all hits.
        after_hit: false, since no day is named.
    """
    candidates = parts.candidates(case((_IS_FIRST, CANDIDATES + 1), else_=LATER * CANDIDATES))
    are_few = and_(_IS_FIRST, not_(_are_many_of_newest(size)), parts.are_few(candidates))
    by_index = select(or_(_IS_WHOLE, are_few).label("is_so")).cte("by_index")
    is_by_index = select(by_index.c.is_so).scalar_subquery()

    walked = parts.in_list_order(and_(not_(is_by_index), tuple_(*KEY) >= _POOL_END))
    walk = walked.limit(case((_IS_FIRST, WALKED), else_=LATER * WALKED)).cte("walk")
    pool = _pool(walk, candidates, is_by_index)

    order = (pool.c.relevance, pool.c.pinned, pool.c.created_at, pool.c.id)
    rest = pool.select().where(tuple_(*order) < _CURSOR)
    key = rest.order_by(*(column.desc() for column in order)).limit(size).subquery("key")
    note = shown.where(Note.id == key.c.id).limit(1).lateral("note")
    page = select(key.c.relevance, note).select_from(key.join(note, true())).cte("page")

    found = parts.number(select(literal_column("1")).select_from(pool).limit(COUNTED + 1))
    end = case((_IS_FIRST, parts.key_of_last(walk, WALKED)))
    return (
        page,
        found.label("found"),
        or_(found > COUNTED, and_(not_(is_by_index), or_(not_(_IS_FIRST), end.is_not(None)))).label("is_least"),
        end.label("stopped_at"),
        false().label("after_hit"),
    )
