"""Group a page of the list by the day of writing, and list the notes of one day, in the reader's time zone.

The pinned notes come first. A search by words is sorted by relevance, and its notes stand under no day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, Subquery, bindparam, false, func, select, true, tuple_, union_all

from app.database.statements import fixed
from app.keyset import Cursor
from app.notes.cursor import END, EPOCH, position_of
from app.notes.listing import PAGE_SIZE, NotePage, beside, page_of, rows_or_figures, shown
from app.notes.models import Note
from app.notes.search import Search, excerpt_around_hit, highlight
from app.notes.search_statements import COUNTED, CURSOR, KEY
from app.notes.service import EXCERPT, NOT_DELETED, OWNER, NoteRow
from app.notes.texts import name_and_excerpt, without_tag_lines
from app.time_zones import midnight
from app.web.locale import lang, reader

DAYS = (EPOCH.date(), END.date())  # the first one, and the first one that is too late


class Entry(NamedTuple):
    """A note as the list shows it. In `marked_name` and `excerpt` the search's hits are highlighted."""

    row: NoteRow
    marked_name: str
    excerpt: str
    lang: str  # the attribute of both, see app/web/locale.py


@dataclass(frozen=True)
class Day:
    """The notes of one day in the reader's time zone; `day` is None for the pinned notes, and for those of a search."""

    day: date | None
    entries: list[Entry]
    continued: bool  # the page before ended within this day, so its heading is on the screen already


def group_by_day(page: NotePage) -> Iterator[Day]:
    search = page.search
    if search.words:
        yield Day(None, [entry(row, search) for row in page.notes], continued=True)
        return
    zone = reader().time_zone
    last_of_page_before = day_of(*page.before, zone) if page.before else ...  # not None, which is the pinned notes
    for day, rows in groupby(page.notes, lambda row: day_of(row.pinned, row.created_at, zone)):
        yield Day(day, [entry(row, search) for row in rows], continued=day == last_of_page_before)
        last_of_page_before = ...


def day_of(pinned: bool, created_at: datetime, zone: ZoneInfo) -> date | None:
    return None if pinned else created_at.astimezone(zone).date()


def entry(row: NoteRow, search: Search) -> Entry:
    name, text = name_and_excerpt(row.title, row.text)
    if row.tags and not search.words:
        text = without_tag_lines(text, row.tags)
    excerpt = excerpt_around_hit(text, search.words)
    return Entry(row, highlight(name, search.words), highlight(excerpt, search.words), lang(name + excerpt))


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
        """Read the day of `?day=`, such as "2026-11-22". Raises: ValueError.

        It has one spelling of ISO 8601, and a cursor can hold its notes.
        """
        day = date.fromisoformat(text)
        if day.isoformat() != text or not DAYS[0] <= day < DAYS[1]:
            raise ValueError(f"not a day of this list: {text!r}")
        return cls(day, midnight(day, zone), midnight(day + timedelta(days=1), zone))


def _two_ranges(rows: Select[Any], most: int) -> Subquery:
    """Return the rows of the day: pinned and other ones are two ranges of the index, each read from its newest note on.

    Without their order PostgreSQL would rather look for `most` of them in the whole table.
    """
    of_day = rows.where(Note.created_at >= bindparam("begin"), Note.created_at < bindparam("end"))
    newest_first = of_day.order_by(Note.created_at.desc(), Note.id.desc()).limit(most)
    ranges = (newest_first.where(Note.pinned == is_pinned).subquery() for is_pinned in (true(), false()))
    return union_all(*(part.select() for part in ranges)).subquery()


_ROWS = _two_ranges(shown(EXCERPT).where(tuple_(*KEY) < CURSOR), PAGE_SIZE + 1)
_ORDER = (_ROWS.c[name].desc() for name in ("pinned", "created_at", "id"))
_ALL = _two_ranges(select(Note.id).where(Note.user_id == OWNER, NOT_DELETED), COUNTED + 1)
# More than COUNTED if there are more. A CTE, so that PostgreSQL counts once.
_COUNTED = select(func.count().label("number")).select_from(_ALL).cte("counted")
_NUMBER = select(_COUNTED.c.number).scalar_subquery()
_STATEMENTS = beside(select(_ROWS).order_by(*_ORDER).limit(fixed(PAGE_SIZE + 1)), _NUMBER, _NUMBER > COUNTED)


def list_day(user_id: int, after: Cursor, day: OneDay) -> NotePage:
    """Return a page of the notes that the user wrote on this day, pinned ones first, then the newest."""
    parameters = {"owner": user_id, "begin": day.begin, "end": day.end} | position_of(after).parameters
    return page_of(rows_or_figures(_STATEMENTS, parameters), after, Search())
