"""The list of notes and the figures beside it, in one statement, with keyset pagination.

The list shows pinned notes first, then the newest. A page reads its own rows only, through the index of that order, or
of the one tag that is asked for. The figures are kept. How words and several tags are found is in search_statement.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Label,
    Row,
    Select,
    Text,
    bindparam,
    cast,
    false,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import read
from app.figures.kept import kept
from app.figures.models import Figures
from app.keyset import Cursor, cut_page
from app.notes import search_statement
from app.notes.cursor import START, key_of, parameters_of, values_of
from app.notes.excerpts import LENGTH
from app.notes.models import Note, NoteTag, TagCount
from app.notes.search import Search
from app.soft_delete import can_be_restored

PAGE_SIZE = 20
TAGS_OF_NOTE = 8  # tags that one note shows
TAGS_BESIDE = 12  # tags beside the list
TAGS_SHOWN = 500  # tags on the page of all tags
TRASH_COUNTED = 100  # of more the list says 99+, so that a full trash costs it no more
TRASH_RETENTION = timedelta(days=30)

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names
Statements = tuple[Select[Any], Select[Any]]  # of a page, and of its figures alone


@dataclass(frozen=True)
class NotePage:
    """Up to PAGE_SIZE notes, where the older ones start if there are any, and the figures beside the list.

    Args:
        found: notes that the search finds, on all pages.
        found_is_least: there may be more of them, which were not counted.
        shown: how many of them are on this page and the pages before it; None if the link to this page did not say.
        total: notes that are not deleted, whatever is searched for.
        in_trash: at most TRASH_COUNTED.
        tags: the most used ones and how many notes have each; one more than TAGS_BESIDE if there are more.
        before: the note that the page before ended with: whether it is pinned and when it was written. None: with none.
    """

    notes: Sequence[NoteRow]
    older: Cursor | None
    found: int
    found_is_least: bool
    shown: int | None
    total: int
    in_trash: int
    tags: list[tuple[str, int]]
    before: tuple[bool, datetime] | None


NOT_DELETED = Note.deleted_at.is_(None)
IN_TRASH = can_be_restored(Note.deleted_at, TRASH_RETENTION)

_OWNER: BindParameter[int] = bindparam("owner")
_CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))


def _one_page(rows: Select[Any], pinned: Any, created_at: Any, note_id: Any) -> Select[Any]:
    """The rows after the cursor, in the order of the list, and one more than a page has."""
    key = (pinned, created_at, note_id)
    ordered = rows.where(tuple_(*key) < _CURSOR).order_by(*(column.desc() for column in key))
    return ordered.limit(PAGE_SIZE + 1)


def shown_columns(text: ColumnElement[str] | InstrumentedAttribute[str]) -> Select[Any]:
    tags = Note.tags[1:TAGS_OF_NOTE].label("tags")
    return select(
        Note.id, Note.title, text.label("text"), tags, Note.pinned, Note.version, Note.created_at, Note.updated_at
    ).where(Note.user_id == _OWNER, NOT_DELETED)


def _figures() -> tuple[Label[Any], ...]:
    tags = _MOST_USED.limit(TAGS_BESIDE + 1).subquery()
    pairs = aggregate_order_by(func.json_build_array(tags.c.tag, tags.c.used), tags.c.used.desc(), tags.c.tag)
    trash = select(literal(1)).where(Note.user_id == _OWNER, IN_TRASH).limit(TRASH_COUNTED).subquery()
    return (
        kept(Figures.notes).label("total"),
        select(func.count()).select_from(trash).scalar_subquery().label("in_trash"),
        # As text: psycopg2 would parse a column of JSON anew for each row.
        cast(select(func.json_agg(pairs)).scalar_subquery(), Text).label("used_tags"),
    )


def beside(page: Select[Any], found: ColumnElement[Any], is_least: ColumnElement[bool]) -> Statements:
    """The page with the figures in each row, and the figures alone for a page without rows.

    One statement for both would be a join, which costs PostgreSQL a quarter more. An empty page is rare: it asks twice.

    Args:
        found, is_least: as search_statement.search() says beside its page. Here the number is known; NULL: all notes.
    """
    of_page = (found.label("found"), is_least.label("is_least"), null().label("stopped_at"), true().label("after_hit"))
    figures = (*of_page, *_figures())
    return page.add_columns(*figures), select(null().label("id"), *figures)


def _list() -> Statements:
    shown = shown_columns(func.left(Note.content, LENGTH))
    return beside(_one_page(shown, Note.pinned, Note.created_at, Note.id), null(), false())


def _one_tag() -> Statements:
    own = (NoteTag.user_id == _OWNER, NoteTag.tag == bindparam("tag"))
    keys = _one_page(select(NoteTag.note_id).where(*own), NoteTag.pinned, NoteTag.created_at, NoteTag.note_id)
    used = select(TagCount.used).where(TagCount.user_id == _OWNER, TagCount.tag == bindparam("tag")).scalar_subquery()
    rows = shown_columns(func.left(Note.content, LENGTH)).where(Note.id.in_(keys))
    newest_first = rows.order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())
    return beside(newest_first, func.coalesce(used, 0), false())


def _search() -> Select[Any]:
    """The figures beside each row of the page; where the page has no rows, one row of the figures alone."""
    page, *of_page = search_statement.search(shown_columns(Note.content), PAGE_SIZE + 1)
    figures = select(*of_page, *_figures()).subquery("figures")
    joined = select(figures, page).select_from(figures.outerjoin(page, true()))
    return joined.order_by(page.c.pinned.desc(), page.c.created_at.desc(), page.c.id.desc())


_MOST_USED = (
    select(TagCount.tag, TagCount.used).where(TagCount.user_id == _OWNER).order_by(TagCount.used.desc(), TagCount.tag)
)
_OWN_TAGS = _MOST_USED.limit(TAGS_SHOWN)
_PAGE = _list()
_TAGGED = _one_tag()
_SEARCH = _search()


def list_notes(user_id: int, after: Cursor = START, search: Search = Search()) -> NotePage:  # noqa: B008 - it is frozen
    """A page of the user's notes that the search finds, pinned ones first, then the newest."""
    return page_of(_read(search, parameters_of(user_id, after)), after)


def page_of(rows: Sequence[NoteRow], after: Cursor) -> NotePage:
    """What a statement of `beside` has found, as a page: of its rows, or of the figures alone."""
    pinned, created_at, _, passed = values_of(after)
    figures = rows[0]
    listed = [row for row in rows if row.id is not None]
    shown = None if passed is None else passed + min(len(listed), PAGE_SIZE)
    notes, older = cut_page(listed, PAGE_SIZE, lambda note: key_of(note.pinned, note.created_at, note.id, shown))
    if figures.stopped_at:
        older = Cursor((*figures.stopped_at, *(() if shown is None else (shown,))))
    found = figures.total if figures.found is None else search_statement.number_found(figures, shown or 0)
    return NotePage(
        notes=notes,
        older=older,
        found=found,
        found_is_least=figures.is_least,
        shown=None if shown is None else min(shown, found),  # some of them may be deleted by now
        total=figures.total,
        in_trash=figures.in_trash,
        tags=[(tag, count) for tag, count in json.loads(figures.used_tags or "[]")],
        before=(pinned, created_at) if figures.after_hit and after != START else None,
    )


def _read(search: Search, parameters: dict[str, Any]) -> Sequence[NoteRow]:
    """One row at least; if the page has none, its `id` is None."""
    tags = list(dict.fromkeys(search.tags))
    if search.words or len(tags) > 1:
        return read(_SEARCH, parameters | search_statement.parameters_of(search)).all()
    page, figures = _TAGGED if tags else _PAGE
    named = parameters | {"tag": tags[0]} if tags else parameters
    return read(page, named).all() or read(figures, named).all()


def list_tags(user_id: int) -> list[tuple[str, int]]:
    """The tags of the user's notes and how many have each, the most used first; at most TAGS_SHOWN."""
    return [(row.tag, row.used) for row in read(_OWN_TAGS, {"owner": user_id})]
