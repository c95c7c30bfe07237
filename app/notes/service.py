"""Create, read, edit, pin, archive, delete and restore notes. Another user's note is not found.

The list is in listing.py. A note in the archive is out of the list and its tags, but a search by words finds it. A note
in the trash can be read, restored and deleted for good, until a nightly job purges it.
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import BindParameter, Delete, Integer, Row, Update, bindparam, delete, func, select, tuple_, update

from app.accounts.service import owner_required
from app.database.statements import fixed
from app.extensions import Base, db, read
from app.keyset import Cursor, cut_page
from app.limits.quotas import DeletedSince, Key, Quota, StoredBefore
from app.notes.cursor import SORT_KEY, microseconds_of, moment_at
from app.notes.models import Note, NoteShare, NoteVersion
from app.notes.texts import EXCERPT_LENGTH, Tick, name_and_excerpt, tags_of, ticked
from app.notes.versions import TEXT_VERSION, keeping
from app.rejection import RowNotFound, existing
from app.soft_delete import purged_nightly

TRIES = 5  # of a tick, against edits of the same moment
TRASH_RETENTION = timedelta(days=30)
QUOTA = Quota(Note, 100_000)
PAGE_SIZE = 20
PUT_AWAY_BOUNDS = SORT_KEY[1:]  # archived_at or deleted_at in microseconds since 1970, id
PUT_AWAY_START = Cursor.start(PUT_AWAY_BOUNDS)

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names

OWNER: BindParameter[int] = bindparam("owner")
NOT_DELETED = Note.deleted_at.is_(None)
LISTED = NOT_DELETED & Note.archived_at.is_(None)
IN_ARCHIVE = NOT_DELETED & Note.archived_at.is_not(None)
IN_TRASH = Note.deleted_at > func.now() - TRASH_RETENTION
DAYS_LEFT = func.ceil(func.extract("epoch", Note.deleted_at + TRASH_RETENTION - func.now()) / 86400)  # in the trash
EXCERPT = func.left(Note.content, EXCERPT_LENGTH).label("text")


class StaleVersion(Exception):
    """Optimistic locking: the text was edited since the version that this edit started from. `current` is it now."""

    def __init__(self, current: NoteRow) -> None:
        super().__init__(current.version)
        self.current = current


_CREATE = QUOTA.insert("title", "content", "tags").returning(Note.id)
_ONE = (
    select(
        *(Note.id, Note.title, Note.content, Note.pinned, TEXT_VERSION.label("version")),
        *(Note.created_at, Note.updated_at, Note.archived_at, Note.deleted_at, DAYS_LEFT.label("days_left")),
        *(NoteShare.token.label("share_token"), NoteShare.created_at.label("shared_at")),
        select(func.count()).where(NoteVersion.note_id == Note.id).scalar_subquery().label("earlier"),
    )
    .outerjoin(NoteShare, NoteShare.note_id == Note.id)
    .where(Note.user_id == OWNER, Note.id == bindparam("note_id"), NOT_DELETED | IN_TRASH)
)

_NOTES = Base.metadata.tables[Note.__tablename__]
_EDITED = (
    select(Note.id, Note.version, Note.title, Note.content, Note.updated_at)
    .where(Note.user_id == OWNER, Note.id == bindparam("note_id"))
    .where(bindparam("at_version", type_=Integer).between(TEXT_VERSION, Note.version))
    .where(NOT_DELETED | (IN_TRASH & bindparam("from_trash", False)))
    .with_for_update(key_share=True)
    .cte("edited")
)
# A tick keeps no version: another one undoes it, and a list of twenty would leave no text in the history.
_TICK = (
    update(_NOTES)
    .where(_NOTES.c.id == _EDITED.c.id)
    .values(title=bindparam("new_title"), content=bindparam("new_content"), tags=bindparam("new_tags"))
    .values(version=_NOTES.c.version + 1, updated_at=func.now(), deleted_at=None)
    .returning(_NOTES.c.text_version)
)
_IS_NEW = (_EDITED.c.title != bindparam("new_title")) | (_EDITED.c.content != bindparam("new_content"))
_EDIT = _TICK.add_cte(*keeping(_EDITED, _IS_NEW))


def _put_away(condition: Any, moment: Any, *more: Any) -> Any:
    """Return a page of the notes that were put away before a moment, the last first."""
    return (
        select(Note.id, Note.title, EXCERPT, moment, *more)
        .where(Note.user_id == OWNER, condition)
        .where(tuple_(moment, Note.id) < tuple_(bindparam("before"), bindparam("note_id")))
        .order_by(moment.desc(), Note.id.desc())
        .limit(fixed(PAGE_SIZE + 1))
    )


_ARCHIVE = _put_away(IN_ARCHIVE, Note.archived_at)
_TRASH = _put_away(IN_TRASH, Note.deleted_at, DAYS_LEFT.label("days_left"))


def create_note(user_id: int, title: str, content: str, key: Key | None = None) -> int:
    """Store a note and return its id.

    Args:
        key: idempotency key. If a note has it already, nothing is stored, and the id is that note's.

    Raises: AccountGone, QuotaReached, DeletedSince: nothing was stored.
    """
    try:
        with owner_required():
            note = QUOTA.store(
                _CREATE, user_id, key, is_alone=True, title=title, content=content, tags=tags_of(title, content)
            )
    except StoredBefore as before:
        return before.row_id
    db.session.commit()
    note_id: int = note.id
    return note_id


def create_notes(user_id: int, texts: Sequence[tuple[str, str]], key: Key | None = None) -> list[int]:
    """Store several notes, each a title and a text, all of them or none, and return their ids.

    Args:
        key: of the request, as for `create_note`. The ids are those of the notes that are not deleted for good.

    Raises: AccountGone, QuotaReached, DeletedSince: nothing was stored.
    """
    keys = [key and Key(uuid.uuid5(key.row_key, str(number)), key.is_used) for number in range(len(texts))]
    try:
        with owner_required():
            ids = [
                QUOTA.store(_CREATE, user_id, own_key, title=title, content=content, tags=tags_of(title, content)).id
                for own_key, (title, content) in zip(keys, texts, strict=True)
            ]
    except (StoredBefore, DeletedSince):
        return _stored_with(user_id, [own_key.row_key for own_key in keys if own_key])
    db.session.commit()
    return ids


def _stored_with(user_id: int, row_keys: Sequence[uuid.UUID]) -> list[int]:
    """Return the ids of the notes that have these keys, in their order. Raises: DeletedSince: there are none."""
    stored = select(Note.idempotency_key, Note.id).where(Note.user_id == user_id, Note.idempotency_key.in_(row_keys))
    by_key = {row.idempotency_key: row.id for row in db.session.execute(stored)}
    if not by_key:
        raise DeletedSince
    return [by_key[row_key] for row_key in row_keys if row_key in by_key]


def get_note(user_id: int, note_id: int) -> NoteRow:
    """Return a note of the list or of the archive. Raises: RowNotFound."""
    note = get_note_or_deleted(user_id, note_id)
    if note.deleted_at:
        raise RowNotFound
    return note


def get_note_or_deleted(user_id: int, note_id: int) -> NoteRow:
    """Return a note that may be in the trash (`deleted_at`) and shared (`share_token`). Raises: RowNotFound."""
    return existing(read(_ONE, {"owner": user_id, "note_id": note_id}).one_or_none())


def update_note(
    user_id: int, note_id: int, title: str, content: str, version: int, *, from_trash: bool = False, ticks: bool = False
) -> int:
    """Edit a note, with optimistic locking: only if it still has the text of this version. Return that of its text.

    What it said is kept in its history. A note that has this title and text already is not a conflict: the same edit
    came twice, since its answer was lost.

    Args:
        from_trash: restore a note of the trash with this text. Without it, a note in the trash is a conflict.
        ticks: it is one of `tick_task`, which keeps no version.

    Raises: RowNotFound; StaleVersion: it was edited, or is in the trash. Nothing was stored.
    """
    given = {"owner": user_id, "note_id": note_id, "at_version": version, "from_trash": from_trash}
    new = {"new_title": title, "new_content": content, "new_tags": tags_of(title, content)}
    stored: int | None = db.session.scalar(_TICK if ticks else _EDIT, given | new)
    db.session.commit()
    if stored is not None:
        return stored
    current = get_note_or_deleted(user_id, note_id)
    if current.deleted_at or (current.title, current.content) != (title, content):
        raise StaleVersion(current)
    return int(current.version)


def tick_task(user_id: int, note_id: int, tick: Tick) -> None:
    """Tick a task of the note's text off, or open it again. Nothing changes if it is so already.

    Raises: RowNotFound; TaskNotFound: the line is another one by now; StaleVersion: the note was edited again and
        again meanwhile. Nothing was stored.
    """
    for _ in range(TRIES):
        note = get_note(user_id, note_id)
        try:
            update_note(user_id, note_id, note.title, ticked(note.content, tick), note.version, ticks=True)
        except StaleVersion:
            continue  # another task was ticked off at the same moment
        return
    raise StaleVersion(get_note(user_id, note_id))


def pin_note(user_id: int, note_id: int, *, pinned: bool) -> None:
    """Pin a note, or unpin it. Raises: RowNotFound."""
    apply_and_name(own_note(user_id, note_id).where(NOT_DELETED).values(changing(Note.pinned, pinned)))


def delete_note(user_id: int, note_id: int) -> str:
    """Move a note to the trash (soft delete) and return its name. Raises: RowNotFound."""
    return apply_and_name(own_note(user_id, note_id).where(NOT_DELETED).values(changing(Note.deleted_at, func.now())))


def restore_note(user_id: int, note_id: int) -> str:
    """Restore a note from the trash and return its name. Raises: RowNotFound."""
    return apply_and_name(own_note(user_id, note_id).where(IN_TRASH).values(changing(Note.deleted_at, None)))


def archive_note(user_id: int, note_id: int, *, archived: bool) -> str:
    """Put a note into the archive, or take it out, and return its name. Nothing changes if it is there already.

    It stays pinned while it is there, so that it comes back to where it was. Raises: RowNotFound.
    """
    archived_at = func.coalesce(Note.archived_at, func.now()) if archived else None
    return apply_and_name(own_note(user_id, note_id).where(NOT_DELETED).values(changing(Note.archived_at, archived_at)))


def list_archive(user_id: int, after: Cursor = PUT_AWAY_START) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the archive (keyset pagination), what was put away last first, and where the next one starts."""
    return _page(_ARCHIVE, user_id, after, "archived_at")


def list_trash(user_id: int, after: Cursor = PUT_AWAY_START) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the notes that can still be restored, the last deleted one first, and where the next starts."""
    return _page(_TRASH, user_id, after, "deleted_at")


def _page(page: Any, user_id: int, after: Cursor, moment: str) -> tuple[Sequence[NoteRow], Cursor | None]:
    microseconds, note_id = after.key
    rows = read(page, {"owner": user_id, "before": moment_at(microseconds), "note_id": note_id}).all()
    return cut_page(rows, PAGE_SIZE, lambda note: (microseconds_of(getattr(note, moment)), note.id))


def delete_note_for_good(user_id: int, note_id: int) -> str:
    """Delete a note of the trash for good and return its name. Raises: RowNotFound."""
    return apply_and_name(delete(Note).where(Note.user_id == user_id, Note.id == note_id, IN_TRASH))


def empty_trash(user_id: int) -> None:
    """Delete all of the user's deleted notes for good, in the order of their ids, in which selection.py locks them."""
    deleted = select(Note.id).where(Note.user_id == user_id, Note.deleted_at.is_not(None))
    rows = deleted.order_by(Note.id).with_for_update().cte("rows")
    db.session.execute(delete(Note).where(Note.id == rows.c.id))
    db.session.commit()


purge_deleted_notes = purged_nightly("notes.purge_deleted", (Note, Note.deleted_at <= func.now() - TRASH_RETENTION))


def changing(column: Any, value: Any) -> dict[Any, Any]:
    """Return the values of an UPDATE that gives a column this value, and the note a new version if that is another."""
    return {column: value, Note.version: Note.version + column.is_distinct_from(value).cast(Integer)}


def own_note(user_id: int, note_id: int) -> Update:
    return update(Note).where(Note.user_id == user_id, Note.id == note_id)


def apply_and_name(change: Update | Delete) -> str:
    """Run an update or a deletion of one note and return the note's name. Raises: RowNotFound."""
    note = db.session.execute(change.returning(Note.title, EXCERPT)).one_or_none()
    db.session.commit()
    note = existing(note)
    return name_and_excerpt(note.title, note.text)[0]
