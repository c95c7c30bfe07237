"""The cursor of the list of notes (keyset pagination): pinned, created_at in microseconds since 1970, id."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.extensions import db
from app.keyset import IDS, Cursor
from app.notes.models import Note

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)  # the precision of PostgreSQL's timestamps
END = datetime(9999, 1, 1, tzinfo=UTC)  # a year short of what datetime holds, so that every time zone can show it
KEY_BOUNDS = (range(2), range((END - EPOCH) // MICROSECOND), IDS)
START = Cursor.start(KEY_BOUNDS)


def key_of(pinned: bool, created_at: datetime, note_id: int) -> tuple[int, ...]:
    """The sort key of a note."""
    return int(pinned), (created_at - EPOCH) // MICROSECOND, note_id


def values_of(cursor: Cursor) -> tuple[bool, datetime, int]:
    """What `key_of` was given."""
    pinned, microseconds, note_id = cursor.key
    return pinned == 1, EPOCH + microseconds * MICROSECOND, note_id


def parse_cursor(user_id: int, text: str) -> Cursor:
    """The cursor of `?before=`. Raises: ValueError."""
    try:
        return Cursor.parse(text, KEY_BOUNDS)
    except ValueError:
        return _cursor_of_the_release_before(user_id, text)


def _cursor_of_the_release_before(user_id: int, text: str) -> Cursor:
    """The cursor of a link like "0-17" (pinned, id), in a page that was open during the deploy. Raises: ValueError.

    If the note is gone, the list starts anew, as it did in that release. Delete this function with the next release.
    """
    pinned, note_id = Cursor.parse(text, (range(2), IDS)).key
    created_at = db.session.scalar(select(Note.created_at).where(Note.user_id == user_id, Note.id == note_id))
    return Cursor(key_of(pinned == 1, created_at, note_id)) if created_at else START
