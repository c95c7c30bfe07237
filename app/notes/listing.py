"""List notes, and the figures beside them, in one statement with keyset pagination.

The list shows pinned notes first, then the newest. A page reads its own rows only, through the index of that order, or
of the one tag that is chosen. The figures are kept. A search, which finds archived notes too, and several tags have
statements of their own, see search_statements.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, false, func, null, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.database.statements import UNPREPARED
from app.extensions import read
from app.keyset import Cursor, cut_page
from app.notes import search_statements
from app.notes.cursor import NO_END, START, Key, key_of, position_of
from app.notes.figures import figures_beside
from app.notes.models import Note, NoteTag, TagCount
from app.notes.search import Search, parameters_of
from app.notes.search_statements import COUNTED, CURSOR, DEEP, LATER, Found
from app.notes.service import EXCERPT, IN_TRASH, LISTED, NOT_DELETED, OWNER, NoteRow
from app.notes.versions import TEXT_VERSION
from app.rejection import existing
from app.sync import Feed

PAGE_SIZE = 20
MOST_SHOWN = 200  # notes on one page, for a reader who comes back to a list that had grown by "Show older"
TAGS_OF_NOTE = 8  # tags that one note shows
MOST_ROWS = 100  # whole notes on a page. A search, or several tags, have PAGE_SIZE

Statements = tuple[Select[Any], Select[Any]]  # of a page, and of its figures alone


@dataclass(frozen=True)
class NotePage:
    """Up to PAGE_SIZE notes, where the older ones start if there are any, and the figures beside the list."""

    notes: Sequence[NoteRow]
    older: Cursor | None
    search: Search  # what the notes were searched for; not as it was asked if nothing was found so
    found: int  # notes that the search finds, on all pages
    found_is_least: bool  # there may be more of them, which were not counted
    in_part: bool  # of the longer notes, not all were searched to their end
    shown: int | None  # of them on this page and those before it; None if the link to this page did not say
    total: int  # notes of the list, whatever is searched for
    in_archive: int
    in_trash: int  # at most TRASH_COUNTED
    tags: list[tuple[str, int]]  # the most used ones and how many notes have each, one more than TAGS_BESIDE if any
    before: tuple[bool, datetime] | None  # of the note that the page before ended with: is it pinned, when written


_LIMIT = bindparam("limit", PAGE_SIZE + 1, type_=Integer)


def shown(text: ColumnElement[str] | InstrumentedAttribute[str]) -> Select[Any]:
    """Return what the list shows of notes, of those in the archive too, with `text` for the text."""
    return select(
        *(Note.id, Note.title, text.label("text"), Note.tags[1:TAGS_OF_NOTE].label("tags"), Note.pinned),
        TEXT_VERSION.label("version"),
        *(Note.created_at, Note.updated_at, Note.archived_at),
        *(Note.tasks[1].label("tasks"), Note.tasks[2].label("tasks_done")),
    ).where(Note.user_id == OWNER, NOT_DELETED)


def one_page(rows: Select[Any], pinned: Any, created_at: Any, note_id: Any) -> Select[Any]:
    """Return the rows after the cursor, in the order of the list, and one more than a page has."""
    key = (pinned, created_at, note_id)
    ordered = rows.where(tuple_(*key) < CURSOR).order_by(*(column.desc() for column in key))
    return ordered.limit(_LIMIT)


def with_tag(rows: Select[Any]) -> Select[Any]:
    """Return one_page() of the rows that have the one tag, which its own index finds."""
    own = select(NoteTag.note_id).where(NoteTag.user_id == OWNER, NoteTag.tag == bindparam("tag"))
    tagged = rows.where(Note.id.in_(one_page(own, NoteTag.pinned, NoteTag.created_at, NoteTag.note_id)))
    return tagged.order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())


def beside(page: Select[Any], found: ColumnElement[Any], is_least: ColumnElement[bool]) -> Statements:
    """Return the page with the figures in each row, and the figures alone for a page without rows.

    One statement for both would be a join, which costs PostgreSQL a quarter more. An empty page is rare: it asks twice.

    Args:
        found, is_least: as search_statements.by_list_order() says. Here the number is known; NULL: all notes.
    """
    counted = (
        *(found.label("found"), is_least.label("is_least"), null().label("stopped_at"), true().label("after_hit")),
        false().label("in_part"),
    )
    of_page = (*counted, *figures_beside())
    return page.add_columns(*of_page), select(null().label("id"), *of_page)


def _of_search(found: Found, *order: str) -> Select[Any]:
    """Return the figures beside each row of the page; where the page has no rows, one row of the figures alone."""
    page, *of_page = found
    numbers = select(*of_page, *figures_beside()).subquery("figures")
    joined = select(numbers, page).select_from(numbers.outerjoin(page, true())).prefix_with(UNPREPARED)
    return joined.order_by(*(page.c[name].desc() for name in order))


_ROWS = shown(EXCERPT)
_USED = select(TagCount.used).where(TagCount.user_id == OWNER, TagCount.tag == bindparam("tag")).scalar_subquery()
_PAGE = beside(one_page(_ROWS.where(LISTED), Note.pinned, Note.created_at, Note.id), null(), false())
_TAGGED = beside(with_tag(_ROWS), func.coalesce(_USED, 0), false())
_WHOLE = shown(Note.content)
_SEARCH = _of_search(search_statements.by_list_order(_WHOLE, PAGE_SIZE + 1), "pinned", "created_at", "id")
_RELEVANT = _of_search(search_statements.by_relevance(_WHOLE, PAGE_SIZE + 1), "relevance", "pinned", "created_at", "id")


def list_notes(
    user_id: int,
    after: Cursor = START,
    search: Search = Search(),  # noqa: B008 - it is frozen
    size: int = PAGE_SIZE,
) -> NotePage:
    """Return a page of the user's notes that the search finds: the most relevant first if it has words, else as listed.

    If no note has the words as they are typed, the page is of the search with one of them corrected.

    Args:
        size: at most MOST_SHOWN. Pages of a search, or of several tags, have PAGE_SIZE.
    """
    page = found_page(user_id, after, search, size if search.is_of_list else PAGE_SIZE)
    if page.notes or page.older or after != START:
        return page
    nearest = search_statements.corrected(user_id, search)
    return found_page(user_id, after, nearest, PAGE_SIZE) if nearest else page


def found_page(user_id: int, after: Cursor, search: Search, size: int) -> NotePage:
    position = position_of(after)
    parameters = {"owner": user_id, "limit": size + 1} | position.parameters
    if not search.is_of_list:
        is_sorted = bool(search.words) and (after == START or position.relevance is not None)
        parameters |= parameters_of(search) | {"deep": DEEP if after == START else LATER * DEEP}
        rows = read(_RELEVANT if is_sorted else _SEARCH, parameters).all()
        return page_of(rows, after, search, size, is_sorted=is_sorted)
    if search.tags:
        parameters["tag"] = search.tags[0]
    return page_of(rows_or_figures(_TAGGED if search.tags else _PAGE, parameters), after, search, size)


def rows_or_figures(statements: Statements, parameters: dict[str, Any]) -> Sequence[NoteRow]:
    """Run what beside() returned. One row at least; if the page has none, its `id` is None."""
    page, figures_alone = statements
    return read(page, parameters).all() or read(figures_alone, parameters).all()


def page_of(
    rows: Sequence[NoteRow], after: Cursor, search: Search, size: int = PAGE_SIZE, *, is_sorted: bool = False
) -> NotePage:
    """Return what a statement of `beside` or of a search has found, as a page: of its rows, or of the figures alone."""
    position = position_of(after)
    figures = rows[0]
    listed = [row for row in rows if row.id is not None]
    so_far = None if position.passed is None else position.passed + min(len(listed), size)
    passed = () if so_far is None else (so_far,)
    stopped_at: Key | None = tuple(figures.stopped_at) if figures.stopped_at else None
    if is_sorted and position.pool_end != NO_END:
        stopped_at = position.pool_end

    def key(note: NoteRow) -> Key:
        of_note = key_of(note.pinned, note.created_at, note.id)
        return (note.relevance, *of_note, *(stopped_at or NO_END), *passed) if is_sorted else (*of_note, *passed)

    notes, older = cut_page(listed, size, key)
    if not older and stopped_at:
        older = Cursor((*stopped_at, *passed))
    found: int = figures.total if figures.found is None else figures.found
    if figures.is_least:  # of more than COUNTED, only what is sure
        found = max(min(found, COUNTED), so_far or 0)
    return NotePage(
        notes=notes,
        older=older,
        search=search,
        found=found,
        found_is_least=figures.is_least,
        in_part=figures.in_part,
        shown=None if so_far is None else min(so_far, found),  # some of them may be deleted by now
        total=figures.total,
        in_archive=figures.in_archive,
        in_trash=figures.in_trash,
        tags=[(tag, count) for tag, count in json.loads(figures.used_tags or "[]")],
        before=(position.pinned, position.created_at) if figures.after_hit and after != START else None,
    )


# Whole notes, without figures, for the API. Before revision 0062 no note says when it changed.
_CHANGED_AT = func.coalesce(Note.changed_at, func.greatest(Note.updated_at, Note.archived_at, Note.deleted_at))
_COLUMNS: tuple[Any, ...] = (
    *(Note.id, Note.title, Note.content, Note.tags, Note.pinned, Note.version),
    *(Note.created_at, Note.updated_at, _CHANGED_AT.label("changed_at"), Note.archived_at, Note.deleted_at),
)
FEED = Feed(Note, _COLUMNS, NOT_DELETED | IN_TRASH, Note.pinned)
_OWN: Select[Any] = select(*_COLUMNS).where(Note.user_id == OWNER)
_OWN_PAGE = one_page(_OWN.where(LISTED), Note.pinned, Note.created_at, Note.id)
_OWN_TAGGED = with_tag(_OWN.where(NOT_DELETED))
_BY_IDS = _OWN.where(Note.id.in_(bindparam("ids", expanding=True)), NOT_DELETED | IN_TRASH)


def list_rows(
    user_id: int, after: Cursor, search: Search, size: int = PAGE_SIZE
) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the list by keyset pagination, and where the next one starts. A search corrects no word.

    Args:
        size: at most MOST_ROWS; of a search at most PAGE_SIZE.
    """
    if not search.is_of_list:
        found = found_page(user_id, after, search, min(size, PAGE_SIZE))
        return rows_of(user_id, [note.id for note in found.notes]), found.older
    parameters = {"owner": user_id, "limit": size + 1, "tag": next(iter(search.tags), None)}
    rows = read(_OWN_TAGGED if search.tags else _OWN_PAGE, parameters | position_of(after).parameters).all()
    return cut_page(rows, size, lambda note: key_of(note.pinned, note.created_at, note.id))


def get_row(user_id: int, note_id: int) -> NoteRow:
    """Return a note, also one in the trash. Raises: RowNotFound."""
    return existing(next(iter(rows_of(user_id, [note_id])), None))


def rows_of(user_id: int, ids: Sequence[int]) -> Sequence[NoteRow]:
    """Return the user's notes with these ids in their order, also those in the trash, without those that are gone."""
    found = {note.id: note for note in read(_BY_IDS, {"owner": user_id, "ids": list(ids)})} if ids else {}
    return [found[note_id] for note_id in ids if note_id in found]
