"""Read whole notes for the API, without figures: a page of the list or of a search, or some by their ids."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, select

from app.extensions import read
from app.keyset import Cursor, cut_page
from app.notes.cursor import key_of, position_of
from app.notes.listing import found_page, one_page, with_tag
from app.notes.models import Note
from app.notes.search import Search
from app.notes.service import IN_TRASH, LISTED, NOT_DELETED, OWNER, NoteRow, read_one

SIZE, MOST = 20, 100  # notes on a page. A search by words, or by several tags, has at most 20

_COLUMNS: tuple[Any, ...] = (
    *(Note.id, Note.title, Note.content, Note.tags, Note.pinned, Note.version),
    *(Note.created_at, Note.updated_at, Note.archived_at, Note.deleted_at),
)
_OWN: Select[Any] = select(*_COLUMNS).where(Note.user_id == OWNER)
_PAGE = one_page(_OWN.where(LISTED), Note.pinned, Note.created_at, Note.id)
_TAGGED = with_tag(_OWN.where(NOT_DELETED))
_BY_ID = _OWN.where(Note.id == bindparam("note_id"), NOT_DELETED | IN_TRASH)
_BY_IDS = _OWN.where(Note.id.in_(bindparam("ids", expanding=True)), NOT_DELETED | IN_TRASH)


def list_rows(user_id: int, after: Cursor, search: Search, size: int = SIZE) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the list by keyset pagination, and where the next one starts. A search corrects no word.

    Args:
        size: notes on the page, at most MOST; of a search at most SIZE.
    """
    if search.words or len(set(search.tags)) > 1:
        found = found_page(user_id, after, search, min(size, SIZE))
        return rows_of(user_id, [note.id for note in found.notes]), found.older
    parameters = {"owner": user_id, "limit": size + 1, "tag": next(iter(search.tags), None)}
    rows = read(_TAGGED if search.tags else _PAGE, parameters | position_of(after).parameters).all()
    return cut_page(rows, size, lambda note: key_of(note.pinned, note.created_at, note.id))


def get_row(user_id: int, note_id: int) -> NoteRow:
    """Return a note, also one in the trash. Raises: NoteNotFound."""
    return read_one(_BY_ID, user_id, note_id)


def rows_of(user_id: int, ids: Sequence[int]) -> Sequence[NoteRow]:
    """Return the user's notes with these ids in their order, also those in the trash, without those that are gone."""
    found = {note.id: note for note in read(_BY_IDS, {"owner": user_id, "ids": list(ids)})} if ids else {}
    return [found[note_id] for note_id in ids if note_id in found]
