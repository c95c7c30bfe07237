"""The notes of one day: which moments a day is made of where the reader is, and a page of what was written then."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    bindparam,
    false,
    func,
    select,
    true,
    tuple_,
    union_all,
)

from app.extensions import read
from app.keyset import Cursor
from app.notes.cursor import END, EPOCH, position_of
from app.notes.excerpts import LENGTH
from app.notes.list_columns import NOT_DELETED, shown
from app.notes.listing import PAGE_SIZE, NotePage, beside, page_of
from app.notes.models import Note
from app.notes.search import Search
from app.notes.search_parts import COUNTED
from app.time_zones import midnight

DAYS = (EPOCH.date(), END.date())  # the first one, and the first one that is too late


@dataclass(frozen=True)
class OneDay:
    """A day in a time zone, as a half-open range: from `begin` up to `end`, without `end`.

    It has 23 or 25 hours when summer time begins or ends, and none where a zone has crossed the date line.
    """

    day: date
    begin: datetime
    end: datetime

    @classmethod
    def parse(cls, text: str, zone: ZoneInfo) -> "OneDay":
        """The day of `?day=`, such as "2026-11-22".

        Raises:
            ValueError: the text is not a day in this one spelling of ISO 8601, or no cursor could hold its notes.
        """
        day = date.fromisoformat(text)
        if day.isoformat() != text or not DAYS[0] <= day < DAYS[1]:
            raise ValueError(f"not a day of this list: {text!r}")
        return cls(day, midnight(day, zone), midnight(day + timedelta(days=1), zone))


_OF_DAY = (Note.created_at >= bindparam("begin"), Note.created_at < bindparam("end"))
_CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))


def _two_ranges(rows: Select[Any], most: int) -> Subquery:
    """The rows of the day: pinned and other ones are two ranges of the list's index, each read from its newest note on.

    Without their order PostgreSQL would rather look for `most` of them in the whole table.

    Args:
        most: rows of each range.
    """
    newest_first = rows.where(*_OF_DAY).order_by(Note.created_at.desc(), Note.id.desc()).limit(most)
    ranges = (newest_first.where(Note.pinned == is_pinned).subquery() for is_pinned in (true(), false()))
    return union_all(*(part.select() for part in ranges)).subquery()


def _page() -> Select[Any]:
    """The day's notes after the cursor, in the order of the list."""
    after_cursor = tuple_(Note.pinned, Note.created_at, Note.id) < _CURSOR
    rows = _two_ranges(shown(func.left(Note.content, LENGTH)).where(after_cursor), PAGE_SIZE + 1)
    return select(rows).order_by(*(rows.c[name].desc() for name in ("pinned", "created_at", "id"))).limit(PAGE_SIZE + 1)


def _number() -> ColumnElement[int]:
    """How many notes the day has; more than COUNTED if there are more. A CTE, so that PostgreSQL counts once."""
    own = select(Note.id).where(Note.user_id == bindparam("owner"), NOT_DELETED)
    rows = _two_ranges(own, COUNTED + 1)
    counted = select(func.count().label("number")).select_from(rows).cte("counted")
    return select(counted.c.number).scalar_subquery()


_NUMBER = _number()
_PAGE, _FIGURES = beside(_page(), _NUMBER, _NUMBER > COUNTED)


def list_day(user_id: int, after: Cursor, day: OneDay) -> NotePage:
    """A page of the notes that the user wrote on this day, pinned ones first, then the newest."""
    parameters = {"owner": user_id, "begin": day.begin, "end": day.end} | position_of(after).parameters
    return page_of(read(_PAGE, parameters).all() or read(_FIGURES, parameters).all(), after, Search())
