"""The list of notes and the figures beside it, in one statement, with keyset pagination.

The list shows pinned notes first, then the newest. A page reads its own rows only, through the index of that order, or
of the one tag that is asked for. The figures are kept. A search by words is sorted by relevance first (relevance.py);
how several tags are found, and words beyond that, is in search_statement.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, false, func, null, select, true, tuple_

from app.extensions import read
from app.keyset import Cursor, cut_page
from app.notes import relevance, search_parts, search_statement
from app.notes.cursor import NO_END, START, Key, key_of, position_of
from app.notes.excerpts import LENGTH
from app.notes.list_columns import LISTED, MOST_USED_TAGS, OWNER, NoteRow, figures, shown
from app.notes.models import Note, NoteTag, TagCount
from app.notes.near_statement import corrected
from app.notes.search import Search

PAGE_SIZE = 20
MOST_SHOWN = 200  # notes on one page, for a reader who comes back to a list that had grown by "Show older"
TAGS_SHOWN = 500  # tags on the page of all tags

Statements = tuple[Select[Any], Select[Any]]  # of a page, and of its figures alone


@dataclass(frozen=True)
class NotePage:
    """Up to PAGE_SIZE notes, where the older ones start if there are any, and the figures beside the list.

    Args:
        search: what the notes were searched for; not as it was asked if nothing was found so.
        found: notes that the search finds, on all pages.
        found_is_least: there may be more of them, which were not counted.
        shown: how many of them are on this page and the pages before it; None if the link to this page did not say.
        total: notes of the list, whatever is searched for.
        in_trash: at most TRASH_COUNTED.
        tags: the most used ones and how many notes have each; one more than TAGS_BESIDE if there are more.
        before: the note that the page before ended with: whether it is pinned and when it was written. None: with none.
    """

    notes: Sequence[NoteRow]
    older: Cursor | None
    search: Search
    found: int
    found_is_least: bool
    shown: int | None
    total: int
    in_archive: int
    in_trash: int
    tags: list[tuple[str, int]]
    before: tuple[bool, datetime] | None


_LIMIT = bindparam("limit", PAGE_SIZE + 1, type_=Integer)
_CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))


def one_page(rows: Select[Any], pinned: Any, created_at: Any, note_id: Any) -> Select[Any]:
    """The rows after the cursor, in the order of the list, and one more than a page has."""
    key = (pinned, created_at, note_id)
    ordered = rows.where(tuple_(*key) < _CURSOR).order_by(*(column.desc() for column in key))
    return ordered.limit(_LIMIT)


def beside(page: Select[Any], found: ColumnElement[Any], is_least: ColumnElement[bool]) -> Statements:
    """The page with the figures in each row, and the figures alone for a page without rows.

    One statement for both would be a join, which costs PostgreSQL a quarter more. An empty page is rare: it asks twice.

    Args:
        found, is_least: as search_statement.search() says beside its page. Here the number is known; NULL: all notes.
    """
    counted = (found.label("found"), is_least.label("is_least"), null().label("stopped_at"), true().label("after_hit"))
    of_page = (*counted, *figures())
    return page.add_columns(*of_page), select(null().label("id"), *of_page)


def _list() -> Statements:
    notes = shown(func.left(Note.content, LENGTH)).where(LISTED)
    return beside(one_page(notes, Note.pinned, Note.created_at, Note.id), null(), false())


def _one_tag() -> Statements:
    own = (NoteTag.user_id == OWNER, NoteTag.tag == bindparam("tag"))
    keys = one_page(select(NoteTag.note_id).where(*own), NoteTag.pinned, NoteTag.created_at, NoteTag.note_id)
    used = select(TagCount.used).where(TagCount.user_id == OWNER, TagCount.tag == bindparam("tag")).scalar_subquery()
    rows = shown(func.left(Note.content, LENGTH)).where(Note.id.in_(keys))
    newest_first = rows.order_by(Note.pinned.desc(), Note.created_at.desc(), Note.id.desc())
    return beside(newest_first, func.coalesce(used, 0), false())


def _search(by: Any, *order: str) -> Select[Any]:
    """The figures beside each row of the page; where the page has no rows, one row of the figures alone."""
    page, *of_page = by.search(shown(Note.content), PAGE_SIZE + 1)
    numbers = select(*of_page, *figures()).subquery("figures")
    joined = select(numbers, page).select_from(numbers.outerjoin(page, true()))
    return joined.order_by(*(page.c[name].desc() for name in order))


_OWN_TAGS = MOST_USED_TAGS.limit(TAGS_SHOWN)
_PAGE = _list()
_TAGGED = _one_tag()
_SEARCH = _search(search_statement, "pinned", "created_at", "id")
_RELEVANT = _search(relevance, "relevance", "pinned", "created_at", "id")


def list_notes(
    user_id: int,
    after: Cursor = START,
    search: Search = Search(),  # noqa: B008 - it is frozen
    size: int = PAGE_SIZE,
) -> NotePage:
    """A page of the user's notes that the search finds: the most relevant ones first if it has words, else as the list.

    If no note has the words as they are typed, the page is of the search with one of them corrected.

    Args:
        size: notes on the page, at most MOST_SHOWN. Pages of words, or of several tags, have PAGE_SIZE.
    """
    page = found_page(user_id, after, search, size if len(search.tags) < 2 and not search.words else PAGE_SIZE)
    if page.notes or page.older or after != START:
        return page
    nearest = corrected(user_id, search)
    return found_page(user_id, after, nearest, PAGE_SIZE) if nearest else page


def found_page(user_id: int, after: Cursor, search: Search, size: int) -> NotePage:
    position = position_of(after)
    is_sorted = bool(search.words) and (after == START or position.relevance is not None)
    parameters = {"owner": user_id, "limit": size + 1} | position.parameters
    rows = _read(search, parameters, _RELEVANT if is_sorted else _SEARCH)
    return page_of(rows, after, search, size, is_sorted=is_sorted)


def page_of(
    rows: Sequence[NoteRow], after: Cursor, search: Search, size: int = PAGE_SIZE, *, is_sorted: bool = False
) -> NotePage:
    """What a statement of `beside` or of a search has found, as a page: of its rows, or of the figures alone.

    Args:
        is_sorted: by relevance.
    """
    position = position_of(after)
    figures = rows[0]
    listed = [row for row in rows if row.id is not None]
    so_far = None if position.passed is None else position.passed + min(len(listed), size)
    passed = () if so_far is None else (so_far,)
    stopped_at: Key | None = tuple(figures.stopped_at) if figures.stopped_at else None
    if is_sorted and position.pool_end != NO_END:
        stopped_at = position.pool_end

    def key(note: NoteRow) -> Key:
        of_note = key_of(note.pinned, note.created_at, note.id, None)
        return (note.relevance, *of_note, *(stopped_at or NO_END), *passed) if is_sorted else (*of_note, *passed)

    notes, older = cut_page(listed, size, key)
    if not older and stopped_at:
        older = Cursor((*stopped_at, *passed))
    found = figures.total if figures.found is None else search_statement.number_found(figures, so_far or 0)
    return NotePage(
        notes=notes,
        older=older,
        search=search,
        found=found,
        found_is_least=figures.is_least,
        shown=None if so_far is None else min(so_far, found),  # some of them may be deleted by now
        total=figures.total,
        in_archive=figures.in_archive,
        in_trash=figures.in_trash,
        tags=[(tag, count) for tag, count in json.loads(figures.used_tags or "[]")],
        before=(position.pinned, position.created_at) if figures.after_hit and after != START else None,
    )


def _read(search: Search, parameters: dict[str, Any], of_search: Select[Any]) -> Sequence[NoteRow]:
    """One row at least; if the page has none, its `id` is None."""
    tags = list(dict.fromkeys(search.tags))
    if search.words or len(tags) > 1:
        return read(of_search, parameters | search_parts.parameters_of(search)).all()
    page, figures_alone = _TAGGED if tags else _PAGE
    named = parameters | {"tag": tags[0]} if tags else parameters
    return read(page, named).all() or read(figures_alone, named).all()


def list_tags(user_id: int) -> list[tuple[str, int]]:
    """The tags of the user's notes and how many have each, the most used first; at most TAGS_SHOWN."""
    return [(row.tag, row.used) for row in read(_OWN_TAGS, {"owner": user_id})]
