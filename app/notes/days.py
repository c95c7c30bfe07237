"""The list as it is read: the pinned notes, then the others under the day they were written on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from markupsafe import Markup

from app.notes.excerpts import around_hit, marked, name_and_excerpt
from app.notes.listing import NotePage, NoteRow
from app.notes.search import Search
from app.web.locale import local_day


@dataclass(frozen=True)
class Entry:
    """A note of the list; `name` and `excerpt` are marked where the search hit them."""

    row: NoteRow
    name: str
    marked_name: Markup
    excerpt: Markup


@dataclass(frozen=True)
class Day:
    """Notes of one day in the reader's zone; without a day the pinned ones."""

    day: date | None
    entries: list[Entry]
    continued: bool  # the page before ended within it


def days_of(page: NotePage, search: Search) -> Iterator[Day]:
    before = day_of(*page.before) if page.before else ...
    for day, rows in groupby(page.notes, lambda row: day_of(row.pinned, row.created_at)):
        yield Day(day, [entry(row, search) for row in rows], continued=day == before)
        before = ...


def day_of(pinned: bool, created_at: datetime) -> date | None:
    return None if pinned else local_day(created_at)


def entry(row: NoteRow, search: Search) -> Entry:
    name, text = name_and_excerpt(row.title, row.text)
    return Entry(row, name, marked(name, search.words), marked(around_hit(text, search.words), search.words))
