"""The history of a note: keep what it said before each edit, and read that.

Another user's note has none, and so has one in the trash until it is restored. To bring a version back is an edit that
gives the note the same text again, so it is undone by the history itself. An import adds notes, and no history.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, BigInteger, ColumnElement, Row, bindparam, delete, func, insert, select

from app.database.statements import fixed
from app.extensions import Base, read
from app.notes.models import VERSIONS_KEPT, Note, NoteVersion
from app.notes.texts import EXCERPT_LENGTH
from app.rejection import RowNotFound, existing

_VERSIONS = Base.metadata.tables[NoteVersion.__tablename__]
# An editor compares this one: a version counts pins too, which are no conflict with a text.
TEXT_VERSION = func.coalesce(Note.text_version, Note.version)
_OF_NOTE = (Note.user_id == bindparam("owner"), Note.id == bindparam("note_id"), Note.deleted_at.is_(None))
_LIST = (
    select(NoteVersion.version, NoteVersion.title, NoteVersion.saved_at)
    .add_columns(func.left(NoteVersion.content, EXCERPT_LENGTH).label("content"))
    .select_from(Note)
    .outerjoin(NoteVersion, NoteVersion.note_id == Note.id)
    .where(*_OF_NOTE)
    .order_by(NoteVersion.version.desc())
)
_ONE = (
    select(NoteVersion.title, NoteVersion.content, NoteVersion.saved_at, NoteVersion.version)
    .add_columns(Note.title.label("now_title"), Note.content.label("now_content"), TEXT_VERSION.label("now_version"))
    .add_columns(Note.updated_at.label("now_saved_at"))
    .join(Note, Note.id == NoteVersion.note_id)
    .where(*_OF_NOTE, NoteVersion.version == bindparam("version", type_=BigInteger))
)


def keeping(before: CTE, is_replaced: ColumnElement[bool]) -> Sequence[CTE]:
    """Return what goes beside an UPDATE of texts: keep what each note said, and drop the oldest beyond VERSIONS_KEPT.

    Every edit has it in its own statement. So the history has each earlier text once, whoever edits at that moment.

    Args:
        before: the notes as they are, each one locked.
        is_replaced: of those which get another text.
    """
    said = select(before.c.id, before.c.version, before.c.title, before.c.content, before.c.updated_at)
    kept = insert(_VERSIONS).from_select([*_VERSIONS.c.keys()], said.where(is_replaced))
    of_each = _VERSIONS.alias()
    newest = select(of_each.c.version).where(of_each.c.note_id == before.c.id).order_by(of_each.c.version.desc())
    # One less stays than are kept, since a statement does not see the row that it adds.
    oldest = newest.offset(fixed(VERSIONS_KEPT - 1)).correlate(before).lateral()
    is_oldest = (_VERSIONS.c.note_id == before.c.id, _VERSIONS.c.version == oldest.c.version, is_replaced)
    return kept.cte("kept"), delete(_VERSIONS).where(*is_oldest).cte("dropped")


def list_versions(user_id: int, note_id: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the versions that are kept, the newest first, with the beginning of each text. Raises: RowNotFound."""
    rows = read(_LIST, {"owner": user_id, "note_id": note_id}).all()
    if not rows:
        raise RowNotFound
    return [row for row in rows if row.version]


def get_version(user_id: int, note_id: int, version: int) -> Row[*tuple[Any, ...]]:
    """Return a version, and beside it the note as it is now. Raises: RowNotFound, also if it is kept no more."""
    return existing(read(_ONE, {"owner": user_id, "note_id": note_id, "version": version}).one_or_none())
