"""The trash: deleted notes, which can be read, restored (service.py) and deleted for good. A nightly job purges it."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, select

from app.extensions import db, read
from app.notes.excerpts import LENGTH
from app.notes.list_columns import DAYS_LEFT, IN_TRASH, TRASH_RETENTION, NoteRow
from app.notes.models import Note
from app.notes.service import apply_and_name
from app.soft_delete import has_expired, purge

SHOWN = 100

_LIST = (
    select(
        *(Note.id, Note.title, func.left(Note.content, LENGTH).label("text"), Note.deleted_at),
        DAYS_LEFT.label("days_left"),
    )
    .where(Note.user_id == bindparam("owner"), IN_TRASH)
    .order_by(Note.deleted_at.desc(), Note.id.desc())
    .limit(SHOWN)
)


def list_trash(user_id: int) -> Sequence[NoteRow]:
    """The notes that can still be restored, the last deleted one first; at most SHOWN."""
    return read(_LIST, {"owner": user_id}).all()


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
    """Delete for good every user's notes that have been in the trash for TRASH_RETENTION; how many they were."""
    return purge(Note, has_expired(Note.deleted_at, TRASH_RETENTION))
