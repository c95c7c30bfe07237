"""Export notes, those in the archive and the trash too, and import them."""

from datetime import UTC, datetime
from functools import partial

from flask_babel import ngettext
from sqlalchemy import bindparam, select

from app.notes.models import CONTENT_LENGTH, TITLE_LENGTH, Note, NoteShare, NoteVersion
from app.notes.service import IN_TRASH, NOT_DELETED, QUOTA, TRASH_RETENTION
from app.notes.texts import tags_of
from app.portability.contract import EmptyItem, Item, PortableTable, exactly, line, moment, optional, text
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


NOTES = PortableTable(
    name="notes",
    came=lambda count: ngettext("%(count)s note", "%(count)s notes", count, count=number(count)),
    model=Note,
    longest_item=512 * 1024,  # its text, and the tags beside it
    also={
        "id": Note.id,
        "version": Note.version,
        "changed_at": Note.changed_at,
        "shared_at": select(NoteShare.created_at).where(NoteShare.note_id == Note.id).scalar_subquery(),
    },
    fields={
        "title": partial(line, at_most=TITLE_LENGTH),
        "content": partial(text, at_most=CONTENT_LENGTH),
        "tags": lambda tags: tags,  # they are found in the text anew
        "pinned": partial(exactly, kind=bool),
        "created_at": moment,
        "updated_at": moment,
        "archived_at": partial(optional, read=moment),
        "deleted_at": partial(optional, read=_still_kept),
    },
    absent={"archived_at": None},  # exports of before revision 0039 have none
    exported=NOT_DELETED | IN_TRASH,
    same=("created_at", "title", "content"),
    complete=_complete,
    quota=QUOTA,
)

HISTORY = (
    select(Note.id.label("note_id"), NoteVersion.version, NoteVersion.title, NoteVersion.content, NoteVersion.saved_at)
    .join(NoteVersion, NoteVersion.note_id == Note.id)
    .where(Note.user_id == bindparam("owner"), NOTES.exported)
    .order_by(Note.id, NoteVersion.version)
    .execution_options(yield_per=100)
)
