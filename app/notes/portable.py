"""Export notes, those in the archive and the trash too, and import them."""

from datetime import UTC, datetime
from functools import partial

from flask_babel import ngettext
from sqlalchemy import true

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note
from app.notes.service import IN_TRASH, NOT_DELETED, QUOTA, TRASH_RETENTION
from app.notes.texts import tags_of
from app.portability.contract import EmptyItem, Item, PortableTable, Reader, exactly, line, moment, optional, text
from app.web.fields import strip
from app.web.formats import number


def _still_kept(value: str) -> str:
    """Start the time of a note over that has been in the trash for longer than it is kept: it would never be seen."""
    deleted_at, now = moment(value), datetime.now(UTC)
    return now.isoformat() if datetime.fromisoformat(deleted_at) <= now - TRASH_RETENTION else deleted_at


def _complete(note: Item) -> Item:
    if not (note["title"] or strip(note["content"])):
        raise EmptyItem("content")
    return {**note, "tags": tags_of(note["title"], note["content"])}


FIELDS: dict[str, Reader] = {
    "title": partial(line, at_most=TITLE_LENGTH),
    "content": partial(text, at_most=CONTENT_LENGTH),
    "tags": lambda tags: tags,  # they are found in the text anew
    "pinned": partial(exactly, kind=bool),
    "created_at": moment,
    "updated_at": moment,
    "archived_at": partial(optional, read=moment),
    "deleted_at": partial(optional, read=_still_kept),
}

NOTES = PortableTable(
    name="notes",
    came=lambda count: ngettext("%(count)s note", "%(count)s notes", count, count=number(count)),
    model=Note,
    longest_item=512 * 1024,  # its text, and the tags beside it
    fields=FIELDS,
    absent={"archived_at": None},  # exports of before revision 0039 have none
    exported=NOT_DELETED | IN_TRASH,
    same=("created_at", "title", "content"),
    complete=_complete,
    compared=true(),
    quota=QUOTA,
)
