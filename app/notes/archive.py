"""Put notes away: into the archive, out of the list and its tags; and into the trash, which a nightly job purges.

A search by words finds archived notes. Deleted notes can be read, restored (service.py) and deleted for good.
"""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, null, select, tuple_

from app.extensions import db, read
from app.keyset import Cursor, cut_page
from app.notes.cursor import SORT_KEY, microseconds_of, moment_at
from app.notes.models import Note
from app.notes.service import (
    DAYS_LEFT,
    EXCERPT,
    IN_ARCHIVE,
    IN_TRASH,
    NOT_DELETED,
    OWNER,
    TRASH_RETENTION,
    NoteRow,
    apply_and_name,
    own_note,
)
from app.soft_delete import has_expired, purge

PAGE_SIZE = 20
TRASH_SHOWN = 100
KEY_BOUNDS = SORT_KEY[1:]  # archived_at in microseconds since 1970, id
START = Cursor.start(KEY_BOUNDS)

_KEY = (Note.archived_at, Note.id)
_PAGE = (
    select(Note.id, Note.title, EXCERPT, Note.archived_at)
    .where(Note.user_id == OWNER, IN_ARCHIVE, tuple_(*_KEY) < tuple_(bindparam("archived_at"), bindparam("note_id")))
    .order_by(*(column.desc() for column in _KEY))
    .limit(PAGE_SIZE + 1)
)
_TRASH = (
    select(Note.id, Note.title, EXCERPT, Note.deleted_at, DAYS_LEFT.label("days_left"))
    .where(Note.user_id == OWNER, IN_TRASH)
    .order_by(Note.deleted_at.desc(), Note.id.desc())
    .limit(TRASH_SHOWN)
)


def archive_note(user_id: int, note_id: int, *, archived: bool) -> str:
    """Put a note into the archive, or take it out, and return its name. Nothing changes if it is there already.

    It stays pinned while it is there, so that it comes back to where it was.

    Raises: NoteNotFound.
    """
    archived_at = func.coalesce(Note.archived_at, func.now()) if archived else null()
    return apply_and_name(own_note(user_id, note_id).where(NOT_DELETED).values(archived_at=archived_at))


def list_archive(user_id: int, after: Cursor = START) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the archive (keyset pagination), what was put away last first, and where the next one starts."""
    microseconds, note_id = after.key
    rows = read(_PAGE, {"owner": user_id, "archived_at": moment_at(microseconds), "note_id": note_id}).all()
    return cut_page(rows, PAGE_SIZE, lambda note: (microseconds_of(note.archived_at), note.id))


def list_trash(user_id: int) -> Sequence[NoteRow]:
    """Return the notes that can still be restored, the last deleted one first; at most TRASH_SHOWN."""
    return read(_TRASH, {"owner": user_id}).all()


def delete_note_for_good(user_id: int, note_id: int) -> str:
    """Delete a note of the trash for good and return its name. Raises: NoteNotFound."""
    return apply_and_name(delete(Note).where(Note.user_id == user_id, Note.id == note_id, IN_TRASH))


def empty_trash(user_id: int) -> None:
    """Delete all of the user's deleted notes for good, in the order of their ids, in which selection.py locks them."""
    deleted = select(Note.id).where(Note.user_id == user_id, Note.deleted_at.is_not(None))
    rows = deleted.order_by(Note.id).with_for_update().cte("rows")
    db.session.execute(delete(Note).where(Note.id == rows.c.id))
    db.session.commit()


def purge_deleted_notes() -> int:
    """Delete for good every user's notes that have been in the trash for TRASH_RETENTION; return how many."""
    return purge(Note, has_expired(Note.deleted_at, TRASH_RETENTION))
