"""The cursor of the list of notes (keyset pagination): pinned, created_at in microseconds since 1970, id.

After these it carries how many notes the pages before it showed, so that no page counts them.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.keyset import IDS, Cursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)  # the precision of PostgreSQL's timestamps
END = datetime(9999, 1, 1, tzinfo=UTC)  # a year short of what datetime holds, so that every time zone can show it
SORT_KEY = (range(2), range((END - EPOCH) // MICROSECOND), IDS)
KEY_BOUNDS = (*SORT_KEY, range(10**9))
START = Cursor((*Cursor.start(SORT_KEY).key, 0))


def key_of(pinned: bool, created_at: datetime, note_id: int, passed: int | None) -> tuple[int, ...]:
    """The sort key of a note, and how many notes come before the page after it, if that is known."""
    key = int(pinned), (created_at - EPOCH) // MICROSECOND, note_id
    return key if passed is None else (*key, passed)


def values_of(cursor: Cursor) -> tuple[bool, datetime, int, int | None]:
    """What `key_of` was given."""
    pinned, microseconds, note_id, *passed = cursor.key
    return pinned == 1, EPOCH + microseconds * MICROSECOND, note_id, passed[0] if passed else None


def parameters_of(user_id: int, after: Cursor) -> dict[str, Any]:
    """The parameters of a statement that lists the user's notes after the cursor."""
    pinned, created_at, note_id, _ = values_of(after)
    return {"owner": user_id, "pinned": pinned, "created_at": created_at, "note_id": note_id}


def parse_cursor(text: str) -> Cursor:
    """The cursor of `?before=`. One of the release before does not say how many came before it. Raises: ValueError."""
    try:
        return Cursor.parse(text, KEY_BOUNDS)
    except ValueError:
        return Cursor.parse(text, SORT_KEY)
