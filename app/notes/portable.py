"""Export notes, those in the archive and the trash too, and import them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sqlalchemy import select

from app.extensions import db
from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note
from app.notes.service import IN_TRASH, NOT_DELETED, OWNER, QUOTA, TRASH_RETENTION
from app.notes.texts import tags_of
from app.portability.contract import BulkImporter, InvalidItem, Item, ItemValidator

NAME = "notes"
LONGEST_ITEM = 64 * 1024  # its text, and the tags beside it
FIELDS = ("title", "content", "tags", "pinned", "created_at", "updated_at", "archived_at", "deleted_at")
ABSENT = {"archived_at": None}  # exports of before revision 0039 have none
BATCH = 500

_ALL = (
    select(*(Note.__table__.c[name] for name in FIELDS))
    .where(Note.user_id == OWNER, NOT_DELETED | IN_TRASH)
    .order_by(Note.id)
)
_IMPORTER = BulkImporter(Note, FIELDS, same=("created_at", "title", "content"), batch=BATCH, quota=QUOTA)


def dump(user_id: int) -> Iterator[Item]:
    rows = db.session.execute(_ALL, {"owner": user_id}, execution_options={"yield_per": BATCH})
    return (dict(row) for row in rows.mappings())


def load(user_id: int, items: Iterable[object]) -> int:
    return _IMPORTER.store(user_id, map(_row, items))


def _row(item: object) -> Item:
    note = ItemValidator(item, FIELDS, ABSENT)
    title, content = note.line("title", TITLE_LENGTH), note.text("content", CONTENT_LENGTH)
    if not (title or content.strip()):
        raise InvalidItem("content")
    return {
        "title": title,
        "content": content,
        "tags": tags_of(title, content),  # whatever it says of them
        "pinned": note.flag("pinned"),
        "created_at": note.moment("created_at"),
        "updated_at": note.moment("updated_at"),
        "archived_at": note.optional(note.moment, "archived_at"),
        "deleted_at": _still_kept(note.optional(note.moment, "deleted_at")),
    }


def _still_kept(deleted_at: str | None) -> str | None:
    """Start the time of a note over that has been in the trash for longer than it is kept: it would never be seen."""
    now = datetime.now(UTC)
    if deleted_at and datetime.fromisoformat(deleted_at) <= now - TRASH_RETENTION:
        return now.isoformat()
    return deleted_at
