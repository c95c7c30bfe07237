"""Writing, reading, changing and deleting notes, one use case a function; somebody else's note is not there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Update, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from app.accounts.service import AccountGone
from app.extensions import db
from app.notes.models import Note

PAGE_SIZE = 20
EXCERPT_LENGTH = 200  # code points of the content that a list shows
TRASH_KEPT = timedelta(days=30)
TRASH_SHOWN = 100
BATCH = 500  # notes that are deleted for good in one transaction
ID_MAX = 2**63 - 1

NoteRow = Row[*tuple[Any, ...]]  # the columns that the statement names


class NoteNotFound(Exception):
    """No such note, or somebody else's, or deleted."""


class StaleVersion(Exception):
    """The note was changed since the version that this change was made from.

    Args:
        current: the note as it is now.
    """

    def __init__(self, current: NoteRow) -> None:
        super().__init__(current.version)
        self.current = current


@dataclass(frozen=True)
class Cursor:
    """Where a page of the list ended: the place of its last note in the order of the list."""

    pinned: bool
    note_id: int

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor of "0-17" or "1-17".

        Raises:
            ValueError: it is not one that `str()` made.
        """
        pinned, _, note_id = text.partition("-")
        if pinned not in ("0", "1") or not note_id.isascii() or not note_id.isdigit() or int(note_id) > ID_MAX:
            raise ValueError(text)
        return cls(pinned == "1", int(note_id))

    def __str__(self) -> str:
        return f"{self.pinned:d}-{self.note_id}"


@dataclass(frozen=True)
class Page:
    """Up to PAGE_SIZE notes, and where the older ones begin if there are any."""

    notes: Sequence[NoteRow]
    older: Cursor | None


START = Cursor(pinned=True, note_id=ID_MAX)

_ALIVE = Note.deleted_at.is_(None)
_IN_TRASH = Note.deleted_at > func.now() - TRASH_KEPT
_EXCERPT = func.left(Note.content, EXCERPT_LENGTH).label("excerpt")

_PAGE = (
    select(Note.id, Note.title, _EXCERPT, Note.pinned, Note.created_at, Note.updated_at)
    .where(
        Note.user_id == bindparam("owner"),
        _ALIVE,
        tuple_(Note.pinned, Note.id) < tuple_(bindparam("pinned"), bindparam("note_id")),
    )
    .order_by(Note.pinned.desc(), Note.id.desc())
    .limit(PAGE_SIZE + 1)
)
_ONE = select(Note.id, Note.title, Note.content, Note.pinned, Note.version, Note.created_at, Note.updated_at).where(
    Note.user_id == bindparam("owner"), Note.id == bindparam("note_id"), _ALIVE
)
_TRASH = (
    select(Note.id, Note.title, _EXCERPT, Note.deleted_at)
    .where(Note.user_id == bindparam("owner"), _IN_TRASH)
    .order_by(Note.deleted_at.desc(), Note.id.desc())
    .limit(TRASH_SHOWN)
)
_FORGOTTEN = delete(Note).where(
    Note.id.in_(select(Note.id).where(Note.deleted_at <= func.now() - TRASH_KEPT).limit(BATCH))
)


def create_note(user_id: int, title: str, content: str) -> int:
    """Store a note and return its id. Raises: AccountGone."""
    new_note = insert(Note).values(user_id=user_id, title=title, content=content).returning(Note.id)
    try:
        note_id = db.session.execute(new_note).scalar_one()
    except IntegrityError as error:  # the only constraint that these values can violate is the owner's
        db.session.rollback()
        raise AccountGone from error
    db.session.commit()
    return note_id


def list_notes(user_id: int, after: Cursor = START) -> Page:
    """A page of the user's notes, pinned ones on top, the newest first."""
    parameters = {"owner": user_id, "pinned": after.pinned, "note_id": after.note_id}
    rows = db.session.execute(_PAGE, parameters).all()
    notes = rows[:PAGE_SIZE]
    older = Cursor(notes[-1].pinned, notes[-1].id) if len(rows) > PAGE_SIZE else None
    return Page(notes, older)


def get_note(user_id: int, note_id: int) -> NoteRow:
    """Raises: NoteNotFound."""
    note = db.session.execute(_ONE, {"owner": user_id, "note_id": note_id}).one_or_none()
    if note is None:
        raise NoteNotFound
    return note


def update_note(user_id: int, note_id: int, title: str, content: str, version: int) -> None:
    """Change a note that is still at the version the change was made from.

    Raises:
        StaleVersion: it was changed meanwhile; nothing was stored.
        NoteNotFound
    """
    change = _own_note(user_id, note_id).where(_ALIVE, Note.version == version)
    if not _apply(change.values(title=title, content=content, version=Note.version + 1, updated_at=func.now())):
        raise StaleVersion(get_note(user_id, note_id))


def pin_note(user_id: int, note_id: int, *, pinned: bool) -> None:
    """Raises: NoteNotFound."""
    if not _apply(_own_note(user_id, note_id).where(_ALIVE).values(pinned=pinned)):
        raise NoteNotFound


def delete_note(user_id: int, note_id: int) -> None:
    """Move a note to the trash. Raises: NoteNotFound."""
    if not _apply(_own_note(user_id, note_id).where(_ALIVE).values(deleted_at=func.now())):
        raise NoteNotFound


def restore_note(user_id: int, note_id: int) -> None:
    """Take a note back from the trash. Raises: NoteNotFound."""
    if not _apply(_own_note(user_id, note_id).where(_IN_TRASH).values(deleted_at=None)):
        raise NoteNotFound


def list_trash(user_id: int) -> Sequence[NoteRow]:
    """The notes deleted in the last 30 days, the last one first; at most TRASH_SHOWN."""
    return db.session.execute(_TRASH, {"owner": user_id}).all()


def empty_trash(user_id: int) -> None:
    """Delete for good what the trash holds."""
    db.session.execute(delete(Note).where(Note.user_id == user_id, Note.deleted_at.is_not(None)))
    db.session.commit()


def remove_forgotten_notes() -> int:
    """Delete for good what has been in anybody's trash for longer than TRASH_KEPT: one batch; how many it held."""
    removed = len(db.session.execute(_FORGOTTEN.returning(Note.id)).all())
    db.session.commit()
    return removed


def _own_note(user_id: int, note_id: int) -> Update:
    return update(Note).where(Note.user_id == user_id, Note.id == note_id)


def _apply(change: Update) -> bool:
    """Run a change of one note; whether there was a note to change."""
    found = db.session.scalar(change.returning(Note.id)) is not None
    db.session.commit()
    return found
