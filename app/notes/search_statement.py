"""Full-text search of notes by an index of n-grams, in bounded steps.

The index `ix_notes_terms` (a GIN index of what the SQL function note_terms() gives) names the notes that have every
n-gram of the words and the tags: the candidates. LIKE decides which of them are hits (the recheck). One of three parts
finds the page, the first that can:

- The newest notes. A word that is in many of them has filled the page by then.
- The candidates, if they are few: all of them, sorted.
- A walk through the notes in the order of the list. There are many candidates, so it soon meets a hit.

Each ends at a fixed number of notes, so no search reads more, however many notes there are. A walk that ends before the
page is full says where, and the next page goes on there. So it is for a word that is in old notes alone, or in few
while all its n-grams are in many.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Label,
    Row,
    ScalarSelect,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    extract,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.notes.models import Note
from app.notes.search import Search

NEWEST = 150  # notes
CANDIDATES = 1000
WALKED = 1000  # notes. With more than CANDIDATES of 50,000, 20 of them are hits on the average
COUNTED = 100  # hits. Of more, the page says 100+

_OWNER: BindParameter[int] = bindparam("owner")
_CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))
_KEY = (Note.pinned, Note.created_at, Note.id)


def parameters_of(search: Search) -> dict[str, Any]:
    """The parameters of the statement, besides the owner and the cursor."""
    return {
        "words": " ".join(search.words),
        "tags": list(search.tags),
        "patterns": search.patterns,
        "cased_patterns": search.cased_patterns,
    }


def _texts(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name), ARRAY(Text))


def _if_given(name: str, hit: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """The condition `hit` on the array of a parameter; true where the array is empty, which the planner leaves out."""
    return or_(func.cardinality(_texts(name)) == 0, hit(_texts(name)))


def _is_hit() -> ColumnElement[bool]:
    """The recheck.

    LIKE ALL has no ESCAPE of its own; PostgreSQL's default is the backslash, by which search.pattern() escapes.
    """
    text = Note.title + "\n" + Note.content
    return and_(
        Note.user_id == _OWNER,
        _if_given("tags", lambda tags: Note.tags.contains(tags)),
        _if_given("patterns", lambda patterns: text.like(func.all(patterns))),
        _if_given("cased_patterns", lambda patterns: text.ilike(func.all(patterns))),
    )


def _after_cursor(rows: Select[*tuple[Any, ...]], columns: Any) -> Select[Any]:
    key = (columns.pinned, columns.created_at, columns.id)
    return rows.where(tuple_(*key) < _CURSOR).order_by(*(column.desc() for column in key))


def _list(condition: ColumnElement[bool], limit: int) -> Select[Any]:
    """Sort keys of the user's notes after the cursor, read from the index of the list alone."""
    rows = select(*_KEY).where(condition, Note.user_id == _OWNER, Note.deleted_at.is_(None))
    return _after_cursor(rows, Note).limit(limit)


def _recheck(keys: FromClause, shown: Select[*tuple[Any, ...]]) -> Select[Any]:
    """The hits among `keys`, one after the other: LATERAL keeps PostgreSQL from reading all notes for a hash join."""
    note = shown.where(Note.id == keys.c.id, _is_hit()).limit(1).lateral("note")
    return select(note).select_from(keys.join(note, true()))


def _newest_first(keys: FromClause) -> tuple[ColumnElement[Any], ...]:
    return keys.c.pinned.desc(), keys.c.created_at.desc(), keys.c.id.desc()


def _hits_of_newest() -> CTE:
    newest = _list(true(), NEWEST).subquery("newest")
    hits = _recheck(newest, select(*_KEY))
    return hits.order_by(*_newest_first(newest)).limit(COUNTED + 1).cte("hits_of_newest")


def _candidates() -> CTE:
    """Of the user alone, since the owner is one of the terms. The recheck looks at `user_id` all the same."""
    terms = func.note_terms(Note.user_id, Note.title, Note.content, Note.tags, type_=ARRAY(BigInteger))
    wanted = func.note_terms(_OWNER, "", bindparam("words"), _texts("tags"), type_=ARRAY(BigInteger))
    notes = select(*_KEY).where(terms.contains(wanted), Note.deleted_at.is_(None))
    return notes.limit(CANDIDATES + 1).cte("candidates")


def _number(rows: CTE | Select[Any]) -> ScalarSelect[int]:
    table = rows if isinstance(rows, CTE) else rows.subquery()
    return select(func.count()).select_from(table).scalar_subquery()


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
    newest, candidates = _hits_of_newest(), _candidates()
    are_enough, are_few = _number(newest) >= size, _number(candidates) <= CANDIDATES
    walk = _list(and_(not_(are_enough), not_(are_few)), WALKED)
    parts = (
        _after_cursor(select(*newest.c).where(are_enough), newest.c),
        _after_cursor(select(*candidates.c).where(not_(are_enough), are_few), candidates.c),
        walk,
    )
    key = union_all(*(part.subquery().select() for part in parts)).subquery("key")
    page = _recheck(key, shown).order_by(*_newest_first(key)).limit(size).cte("page")

    hits = _recheck(candidates, select(Note.id)).limit(COUNTED + 1)
    counted = case((_number(newest) > COUNTED, COUNTED + 1), else_=_number(hits))
    found = select(select(counted.label("number")).cte("found").c.number).scalar_subquery()
    return (
        page,
        found.label("found"),
        case((found > COUNTED, True), else_=not_(are_few)).label("is_least"),
        case((_number(page) < size, _last_of(walk))).label("stopped_at"),
        exists().where(Note.id == bindparam("note_id"), _is_hit()).label("after_hit"),
    )


def _last_of(walk: Select[Any]) -> ScalarSelect[Any]:
    last = walk.limit(1).offset(WALKED - 1).subquery()
    microseconds = cast(extract("epoch", last.c.created_at) * 1_000_000, BigInteger)
    return select(func.json_build_array(cast(last.c.pinned, Integer), microseconds, last.c.id)).scalar_subquery()


def number_found(figures: Row[Any], shown: int) -> int:
    """How many notes the search finds, of which so many are shown; of more than COUNTED only what is sure."""
    return max(min(figures.found, COUNTED), shown) if figures.is_least else int(figures.found)
