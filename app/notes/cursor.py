"""The cursor of the list of notes (keyset pagination): pinned, created_at in microseconds since 1970, id.

After these it carries how many notes the pages before it showed, so that no page counts them. Among the notes that a
search sorts by relevance, that comes first, and after the key where these notes end: see search_statements.py.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from app.keyset import IDS, Cursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)  # the precision of PostgreSQL's timestamps
END = datetime(9999, 1, 1, tzinfo=UTC)  # a year short of what datetime holds, so that every time zone can show it
MOST_RELEVANT = 7
SORT_KEY = (range(2), range((END - EPOCH) // MICROSECOND), IDS)
KEY_BOUNDS = (*SORT_KEY, range(10**9))
POOL_BOUNDS = (range(1, MOST_RELEVANT + 1), *SORT_KEY, *SORT_KEY[:2], range(IDS.stop), KEY_BOUNDS[-1])
START = Cursor((*Cursor.start(SORT_KEY).key, 0))
NO_END = (0, 0, 0)  # before the sort key of every note

Key = tuple[int, ...]


class Position(NamedTuple):
    """The note that a page ended with."""

    pinned: bool
    created_at: datetime
    note_id: int
    passed: int | None  # how many notes were shown up to it; None if the cursor did not say
    relevance: int | None = None  # None beyond the notes that are sorted by it
    pool_end: Key = NO_END  # the sort key of the last of these notes; NO_END: all are

    @property
    def parameters(self) -> dict[str, Any]:
        """Return those of the statements that read the page after it."""
        end_pinned, end_created_at, end_id = self.pool_end
        return {
            "pinned": self.pinned,
            "created_at": self.created_at,
            "note_id": self.note_id,
            "relevance": self.relevance or MOST_RELEVANT,
            "end_pinned": end_pinned == 1,
            "end_created_at": moment_at(end_created_at),
            "end_id": end_id,
            "is_first": self.relevance is None,
            "is_whole": self.relevance is not None and self.pool_end == NO_END,
        }


def microseconds_of(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def moment_at(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


def key_of(pinned: bool, created_at: datetime, note_id: int, *passed: int) -> Key:
    """Return the sort key of a note, and how many notes come before the page after it, if that is known."""
    return (int(pinned), microseconds_of(created_at), note_id, *passed)


def position_of(cursor: Cursor) -> Position:
    if len(cursor.key) == len(POOL_BOUNDS):
        relevance, pinned, microseconds, note_id, *end, passed = cursor.key
        return Position(pinned == 1, moment_at(microseconds), note_id, passed, relevance, tuple(end))
    pinned, microseconds, note_id, *counted = cursor.key
    return Position(pinned == 1, moment_at(microseconds), note_id, counted[0] if counted else None)


def parse_cursor(text: str) -> Cursor:
    """Read the cursor of `?before=`. One of the previous release does not say how many notes came before it.

    Raises: ValueError.
    """
    for bounds in (KEY_BOUNDS, POOL_BOUNDS):
        with suppress(ValueError):
            return Cursor.parse(text, bounds)
    return Cursor.parse(text, SORT_KEY)
