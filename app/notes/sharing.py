"""Share a note by a secret link (capability URL). Whoever has it reads the note as it is now.

The link opens nothing while the note is in the trash, and opens it again once it is restored: undoing a deletion undoes
all of it. Ending the sharing deletes the token, so that its address is 404 for ever; sharing again draws another one.
"""

import re
import secrets
from collections.abc import Sequence

from sqlalchemy import String, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from app.database.statements import before_key, fixed
from app.extensions import Base, db, read
from app.keyset import IDS, Cursor, cut_page
from app.notes.models import Note, NoteShare
from app.notes.service import EXCERPT, IN_TRASH, NOT_DELETED, OWNER, NoteRow, get_note_or_deleted
from app.rejection import existing

PAGE_SIZE = 20
TOKEN_BYTES = 16  # 128 random bits, which nobody guesses (ASVS 5.0 V11.5.1); more would only make a longer link
TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")  # what secrets.token_urlsafe(TOKEN_BYTES) can be
KEY_BOUNDS = (IDS,)  # of the list's cursor: the link's id
START = Cursor.start(KEY_BOUNDS)


_SHARES = Base.metadata.tables[NoteShare.__tablename__]
# Locked, so that a note that is deleted for good at the same moment is not found, and violates no foreign key.
_TO_SHARE = (
    select(Note.id, Note.user_id, bindparam("drawn", type_=String))
    .where(Note.user_id == OWNER, Note.id == bindparam("note"), NOT_DELETED)
    .with_for_update(read=True, key_share=True)
)
# Of two at once, the second one finds the row of the first, and leaves its token as it is.
_SHARE = (
    insert(_SHARES)
    .from_select(["note_id", "user_id", "token"], _TO_SHARE)
    .on_conflict_do_update(index_elements=["note_id"], set_={"note_id": _SHARES.c.note_id})
    .returning(_SHARES.c.token)
)
_OF_NOTE = (NoteShare.user_id == OWNER, NoteShare.note_id == bindparam("note"))
_STOP = delete(NoteShare).where(*_OF_NOTE).returning(NoteShare.note_id)
_BY_TOKEN = (
    select(Note.title, Note.content, Note.updated_at)
    .join(NoteShare, NoteShare.note_id == Note.id)
    .where(NoteShare.token == bindparam("token"), NOT_DELETED)
)
_SHARED = (
    select(Note.id, Note.title, EXCERPT, Note.deleted_at)
    .add_columns(NoteShare.id.label("share_id"), NoteShare.created_at.label("shared_at"))
    .join(NoteShare, NoteShare.note_id == Note.id)
    .where(NOT_DELETED | IN_TRASH)
)
_PAGE = before_key(_SHARED, NoteShare.user_id, NoteShare.id).limit(fixed(PAGE_SIZE + 1))


def share_note(user_id: int, note_id: int) -> str:
    """Let anybody read the note who has its link, and return the link's token. One that is shared keeps its own.

    Raises: RowNotFound: also for a note in the trash. Nothing was stored.
    """
    drawn = secrets.token_urlsafe(TOKEN_BYTES)
    token: str | None = db.session.scalar(_SHARE, {"owner": user_id, "note": note_id, "drawn": drawn})
    db.session.commit()
    return existing(token)


def stop_sharing(user_id: int, note_id: int) -> None:
    """End the link of a note, also of one in the trash. To end it twice is to end it once. Raises: RowNotFound."""
    ended = db.session.scalar(_STOP, {"owner": user_id, "note": note_id}) is not None
    db.session.commit()
    if not ended:
        get_note_or_deleted(user_id, note_id)


def get_shared_note(token: str) -> NoteRow:
    """Return the title, the content and `updated_at` of the note that has this link; nothing of whose it is.

    Raises: RowNotFound: nobody ever drew this token, the sharing has ended, or the note is deleted.
    """
    return existing(read(_BY_TOKEN, {"token": token}).one_or_none() if TOKEN.fullmatch(token) else None)


def list_shared(user_id: int, after: Cursor = START) -> tuple[Sequence[NoteRow], Cursor | None]:
    """Return a page of the notes that the user shares, the last shared first, and where the next page starts."""
    rows = read(_PAGE, {"owner": user_id, "before": after.key[0]}).all()
    return cut_page(rows, PAGE_SIZE, lambda note: (note.share_id,))
