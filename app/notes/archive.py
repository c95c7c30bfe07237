"""The archive: notes that are put away, out of the list and its tags. A search by words finds them."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, null, select, tuple_

from app.extensions import read
from app.keyset import Cursor, cut_page
from app.notes.cursor import EPOCH, MICROSECOND, SORT_KEY
from app.notes.excerpts import LENGTH
from app.notes.list_columns import IN_ARCHIVE, NOT_DELETED, NoteRow
from app.notes.models import Note
from app.notes.service import apply_and_name, own_note

PAGE_SIZE = 20
KEY_BOUNDS = SORT_KEY[1:]  # archived_at in microseconds since 1970, id
START = Cursor.start(KEY_BOUNDS)

_KEY = (Note.archived_at, Note.id)
_PAGE = (
    select(Note.id, Note.title, func.left(Note.content, LENGTH).label("text"), Note.archived_at)
    .where(
        Note.user_id == bindparam("owner"),
        IN_ARCHIVE,
        tuple_(*_KEY) < tuple_(bindparam("archived_at"), bindparam("note_id")),
    )
    .order_by(*(column.desc() for column in _KEY))
    .limit(PAGE_SIZE + 1)
)


def archive_note(user_id: int, note_id: int, *, archived: bool) -> str:
    """Put a note into the archive, or take it out, and return its name. Nothing changes if it is there already.

    It stays pinned while it is there, so that it comes back to where it was.

    Raises: NoteNotFound.
    """
    archived_at = func.coalesce(Note.archived_at, func.now()) if archived else null()
    return apply_and_name(own_note(user_id, note_id).where(NOT_DELETED).values(archived_at=archived_at))


def list_archive(user_id: int, after: Cursor = START) -> tuple[Sequence[NoteRow], Cursor | None]:
    """A page of the archive by keyset pagination, what was put away last first, and where the next page starts."""
    microseconds, note_id = after.key
    archived_at = EPOCH + microseconds * MICROSECOND
    rows = read(_PAGE, {"owner": user_id, "archived_at": archived_at, "note_id": note_id}).all()
    return cut_page(rows, PAGE_SIZE, lambda note: ((note.archived_at - EPOCH) // MICROSECOND, note.id))
