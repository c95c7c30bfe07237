"""Export notes, those in the archive and the trash too, and import them."""

from datetime import UTC, datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import true

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note
from app.notes.service import IN_TRASH, NOT_DELETED, QUOTA, TRASH_RETENTION
from app.notes.texts import tags_of
from app.portability.contract import InvalidItem, Item, ItemValidator, PortableTable

FIELDS = ("title", "content", "tags", "pinned", "created_at", "updated_at", "archived_at", "deleted_at")
ABSENT = {"archived_at": None}  # exports of before revision 0039 have none


def _row(item: object) -> Item:
    note = ItemValidator(item, FIELDS, ABSENT)
    title, content = note.line("title", TITLE_LENGTH), note.text("content", CONTENT_LENGTH)
    if not (title or content.strip()):
        raise InvalidItem("content")
    return {
        "title": title,
        "content": content,
        "tags": tags_of(title, content),  # whatever it says of them
        "pinned": note.value("pinned", bool),
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


NOTES = PortableTable(
    name="notes",
    came=_("notes %(count)s"),
    model=Note,
    longest_item=64 * 1024,  # its text, and the tags beside it
    fields=FIELDS,
    exported=NOT_DELETED | IN_TRASH,
    same=("created_at", "title", "content"),
    row_of=_row,
    compared=true(),
    quota=QUOTA,
)
