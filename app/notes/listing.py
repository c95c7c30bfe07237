"""The list of notes and the figures beside it, in one statement, with keyset pagination.

The list shows pinned notes first, then the newest. Without a search a page reads its own rows only, through the index
of that order; a search reads all notes of the user.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import read
from app.keyset import Cursor, cut_page
from app.notes.cursor import START, key_of, values_of
from app.notes.excerpts import LENGTH
from app.notes.models import Note
from app.notes.search import Search
from app.soft_delete import can_be_restored

PAGE_SIZE = 20
TAGS_OF_NOTE = 8  # tags that one note shows
TAGS_BESIDE = 12  # tags beside the list
TAGS_SHOWN = 500  # tags on the page of all tags
TRASH_RETENTION = timedelta(days=30)

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names


@dataclass(frozen=True)
class NotePage:
    """Up to PAGE_SIZE notes, where the older ones start if there are any, and the figures beside the list.

    Args:
        found: notes that the search finds, on all pages.
        shown: how many of them are on this page and the pages before it.
        total: notes that are not deleted, whatever is searched for.
        tags: the most used ones and how many notes have each; one more than TAGS_BESIDE if there are more.
        before: the note that the page before ended with, whether it is pinned and when it was written.
    """

    notes: Sequence[NoteRow]
    older: Cursor | None
    found: int
    shown: int
    total: int
    in_trash: int
    tags: list[tuple[str, int]]
    before: tuple[bool, datetime] | None


NOT_DELETED = Note.deleted_at.is_(None)
IN_TRASH = can_be_restored(Note.deleted_at, TRASH_RETENTION)

_OWNER: BindParameter[int] = bindparam("owner")
_CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))


def _one_page(rows: Select[Any], columns: Any) -> Select[Any]:
    """The rows after the cursor, in the order of the list, and one more than a page has."""
    key = (columns.pinned, columns.created_at, columns.id)
    ordered = rows.where(tuple_(*key) < _CURSOR).order_by(*(column.desc() for column in key))
    return ordered.limit(PAGE_SIZE + 1)


def _shown(text: ColumnElement[str] | InstrumentedAttribute[str]) -> Select[Any]:
    tags = Note.tags[1:TAGS_OF_NOTE].label("tags")
    return select(
        Note.id, Note.title, text.label("text"), tags, Note.pinned, Note.version, Note.created_at, Note.updated_at
    )


def _own(hit: ColumnElement[bool]) -> CTE:
    """All notes of the user, and whether each is a hit of the search."""
    columns = (Note.id, Note.pinned, Note.tags, Note.created_at, Note.deleted_at)
    return select(*columns, hit.label("hit")).where(Note.user_id == _OWNER).cte("own")


def _tag_counts(notes: FromClause) -> Select[Any]:
    """Each tag of those `notes` that are not deleted with their number, the most used first."""
    tags = select(func.unnest(notes.c.tags).label("tag")).where(notes.c.deleted_at.is_(None)).subquery()
    used = func.count().label("used")
    return select(tags.c.tag, used).group_by(tags.c.tag).order_by(used.desc(), tags.c.tag.collate("C"))


def _figures(own: CTE) -> FromClause:
    """One row: what stands beside the list, counted in one pass over the user's notes."""
    tags = _tag_counts(own).limit(TAGS_BESIDE + 1).subquery()
    pairs = aggregate_order_by(
        func.json_build_array(tags.c.tag, tags.c.used), tags.c.used.desc(), tags.c.tag.collate("C")
    )
    found = and_(own.c.hit, own.c.deleted_at.is_(None))
    return select(
        func.count().filter(found).label("found"),
        func.count().filter(found, tuple_(own.c.pinned, own.c.created_at, own.c.id) >= _CURSOR).label("passed"),
        func.count().filter(own.c.deleted_at.is_(None)).label("total"),
        func.count().filter(can_be_restored(own.c.deleted_at, TRASH_RETENTION)).label("in_trash"),
        select(func.json_agg(pairs)).scalar_subquery().label("used_tags"),
    ).subquery("figures")


def _with_figures(own: CTE, page_rows: Select[Any]) -> Select[Any]:
    """The figures beside each row of the page; where the page has no rows, one row of the figures alone."""
    figures, page = _figures(own), page_rows.subquery("page")
    joined = select(figures, page).select_from(figures.outerjoin(page, true()))
    return joined.order_by(page.c.pinned.desc(), page.c.created_at.desc(), page.c.id.desc())


def _if_given(name: str, hit: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """The condition `hit` on the array of a parameter; true where the array is empty, which the planner leaves out."""
    values = cast(bindparam(name), ARRAY(Text))
    return or_(func.cardinality(values) == 0, hit(values))


def _search() -> Select[Any]:
    text = Note.title + "\n" + Note.content
    # LIKE ALL has no ESCAPE of its own; PostgreSQL's default is the backslash, by which search.pattern() escapes.
    own = _own(
        and_(
            NOT_DELETED,
            _if_given("tags", lambda tags: Note.tags.contains(tags)),
            _if_given("patterns", lambda patterns: text.like(func.all(patterns))),
            _if_given("cased_patterns", lambda patterns: text.ilike(func.all(patterns))),
        )
    )
    hits = _one_page(select(own.c.id).where(own.c.hit, own.c.deleted_at.is_(None)), own.c)
    return _with_figures(own, _shown(Note.content).where(Note.id.in_(hits)))


_PAGE = _with_figures(
    _own(true()),
    _one_page(_shown(func.left(Note.content, LENGTH)).where(Note.user_id == _OWNER, NOT_DELETED), Note),
)
_SEARCH = _search()
_OWN_TAGS = _tag_counts(select(Note.tags, Note.deleted_at).where(Note.user_id == _OWNER).subquery("own")).limit(
    TAGS_SHOWN
)


def list_notes(user_id: int, after: Cursor = START, search: Search = Search()) -> NotePage:  # noqa: B008 - it is frozen
    """A page of the user's notes that the search finds, pinned ones first, then the newest. One statement."""
    pinned, created_at, note_id = values_of(after)
    parameters: dict[str, Any] = {"owner": user_id, "pinned": pinned, "created_at": created_at, "note_id": note_id}
    if search:
        parameters |= {"tags": list(search.tags), "patterns": search.patterns, "cased_patterns": search.cased_patterns}
    rows = read(_SEARCH if search else _PAGE, parameters).all()
    figures = rows[0]
    found = [row for row in rows if row.id is not None]
    notes, older = cut_page(found, PAGE_SIZE, lambda note: key_of(note.pinned, note.created_at, note.id))
    return NotePage(
        notes=notes,
        older=older,
        found=figures.found,
        shown=figures.passed + len(notes),
        total=figures.total,
        in_trash=figures.in_trash,
        tags=[(tag, count) for tag, count in figures.used_tags or ()],
        before=None if after == START else (pinned, created_at),
    )


def list_tags(user_id: int) -> list[tuple[str, int]]:
    """The tags of the user's notes and how many have each, the most used first; at most TAGS_SHOWN."""
    return [(row.tag, row.used) for row in read(_OWN_TAGS, {"owner": user_id})]
