"""What the statements of the search are made of: the candidates that the n-gram indexes name, and the recheck.

The index `ix_notes_terms` (GIN, of what the SQL function note_terms() gives) names the notes that have every n-gram of
the words, and the tags; `ix_notes_initials`, of note_initials(), those that have every n-gram of initial consonants.
They are the candidates. LIKE, or a regular expression for consonants, decides which of them are hits (the recheck).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    ScalarSelect,
    Select,
    SQLColumnExpression,
    Text,
    and_,
    bindparam,
    cast,
    extract,
    func,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from app.notes.initials import has_pair_of_initials, without_initials
from app.notes.models import Note
from app.notes.search import Search, anywhere, at_beginning

NEWEST = 150  # notes
CANDIDATES = 1000
WALKED = 1000  # notes. With more than CANDIDATES of 50,000, 20 of them are hits on the average
COUNTED = 100  # hits. Of more, the page says 100+

OWNER: BindParameter[int] = bindparam("owner")
IS_INDEXED: BindParameter[bool] = bindparam("is_indexed")
CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))
KEY = (Note.pinned, Note.created_at, Note.id)
TEXT = Note.title + "\n" + Note.content


def parameters_of(search: Search) -> dict[str, Any]:
    """The parameters of the statements, besides the owner and the cursor."""
    terms = " ".join(map(without_initials, search.words)).strip()
    initials = [word for word in search.words_with_initials if has_pair_of_initials(word)]
    return {
        "terms": terms,
        "initials": " ".join(initials),
        "is_indexed": bool(terms or initials or search.tags),
        "tags": list(search.tags),
        "patterns": search.patterns,
        "cased_patterns": search.cased_patterns,
        "expressions": list(map(anywhere, search.words_with_initials)),
        "anywhere": list(map(anywhere, search.words)),
        "at_beginning": list(map(at_beginning, search.words)),
    }


def texts(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name), ARRAY(Text))


def _if_given(name: str, hit: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """The condition `hit` on the array of a parameter; true where the array is empty, which the planner leaves out."""
    return or_(func.cardinality(texts(name)) == 0, hit(texts(name)))


def matches_all(text: SQLColumnExpression[str], name: str) -> ColumnElement[bool]:
    return text.op("~", is_comparison=True)(func.all(texts(name)))


def matches_any(text: SQLColumnExpression[str], name: str) -> ColumnElement[bool]:
    return text.op("~", is_comparison=True)(func.any(texts(name)))


def is_hit() -> ColumnElement[bool]:
    """The recheck. Words find archived notes too; tags alone are a view of the list.

    LIKE ALL has no ESCAPE of its own; PostgreSQL's default is the backslash, by which search.pattern() escapes.
    """
    return and_(
        Note.user_id == OWNER,
        or_(Note.archived_at.is_(None), func.cardinality(texts("anywhere")) > 0),
        _if_given("tags", lambda tags: Note.tags.contains(tags)),
        _if_given("patterns", lambda patterns: TEXT.like(func.all(patterns))),
        _if_given("cased_patterns", lambda patterns: TEXT.ilike(func.all(patterns))),
        _if_given("expressions", lambda _: matches_all(TEXT, "expressions")),
    )


def hits_among(keys: FromClause, shown: Select[*tuple[Any, ...]]) -> Select[Any]:
    """The hits among `keys`, one after the other: LATERAL keeps PostgreSQL from reading all notes for a hash join."""
    note = shown.where(Note.id == keys.c.id, is_hit()).limit(1).lateral("note")
    return select(note).select_from(keys.join(note, true()))


def in_list_order(condition: ColumnElement[bool]) -> Select[bool, datetime, int]:
    """Sort keys of the user's notes, read from the index of the list alone: the pinned ones first, then the newest."""
    rows = select(*KEY).where(condition, Note.user_id == OWNER, Note.deleted_at.is_(None))
    return rows.order_by(*(column.desc() for column in KEY))


def newest_first(keys: FromClause) -> tuple[ColumnElement[Any], ...]:
    return keys.c.pinned.desc(), keys.c.created_at.desc(), keys.c.id.desc()


def candidates(most: Any) -> CTE:
    """Of the user alone, since the owner is one of the terms. The recheck looks at `user_id` all the same.

    Args:
        most: of more candidates the rest is left out.
    """
    terms = func.note_terms(Note.user_id, Note.title, Note.content, Note.tags, type_=ARRAY(BigInteger))
    wanted_terms = func.note_terms(OWNER, "", bindparam("terms"), texts("tags"), type_=ARRAY(BigInteger))
    initials = func.note_initials(Note.user_id, Note.title, Note.content, type_=ARRAY(BigInteger))
    wanted_initials = func.note_initials(OWNER, "", bindparam("initials"), type_=ARRAY(BigInteger))
    asks_for_initials = bindparam("initials", type_=Text) != ""
    asks_for_initials_alone = and_(
        asks_for_initials, bindparam("terms", type_=Text) == "", func.cardinality(texts("tags")) == 0
    )
    notes = select(*KEY).where(
        or_(asks_for_initials_alone, terms.contains(wanted_terms)),
        or_(not_(asks_for_initials), initials.contains(wanted_initials)),
        Note.deleted_at.is_(None),
    )
    return notes.limit(most).cte("candidates")


def are_few(candidates: CTE) -> ColumnElement[bool]:
    """Whether they are all candidates. A single initial is in no index, so then there may be any number."""
    return and_(IS_INDEXED, number(candidates) <= CANDIDATES)


def number(rows: CTE | Select[*tuple[Any, ...]]) -> ScalarSelect[int]:
    table = rows if isinstance(rows, CTE) else rows.subquery()
    return select(func.count()).select_from(table).scalar_subquery()


def key_of_last(walk: Select[*tuple[Any, ...]] | CTE, number: Any) -> ScalarSelect[Any]:
    """The sort key of the walk's note of that number, as cursor.key_of() has it; NULL if it has fewer."""
    last = (walk.select().order_by(*newest_first(walk)) if isinstance(walk, CTE) else walk).limit(1)
    row = last.offset(number - 1).subquery()
    microseconds = cast(extract("epoch", row.c.created_at) * 1_000_000, BigInteger)
    return select(func.json_build_array(cast(row.c.pinned, Integer), microseconds, row.c.id)).scalar_subquery()
