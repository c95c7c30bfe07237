"""Group a page of the list by day: the pinned notes first, then the others under the day on which they were written.

A search by words is sorted by relevance, and its notes stand under no day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.notes.excerpts import excerpt_around_hit, highlight, name_and_excerpt
from app.notes.list_columns import NoteRow
from app.notes.listing import NotePage
from app.notes.search import Search
from app.web.locale import reader


class Entry(NamedTuple):
    """A note as the list shows it. In `marked_name` and `excerpt` the search's hits are highlighted."""

    row: NoteRow
    marked_name: str
    excerpt: str


@dataclass(frozen=True)
class Day:
    """The notes of one day in the reader's time zone; `day` is None for the pinned notes, and for those of a search.

    Args:
        continued: the page before ended within this day, so its heading is on the screen already.
    """

    day: date | None
    entries: list[Entry]
    continued: bool


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
    excerpt = excerpt_around_hit(text, search.words)
    return Entry(row, highlight(name, search.words), highlight(excerpt, search.words))
