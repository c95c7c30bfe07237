"""Group a page of the list by day: the pinned notes first, then the others under the day on which they were written."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from markupsafe import Markup

from app.notes.excerpts import excerpt_around_hit, highlight, name_and_excerpt
from app.notes.listing import NotePage, NoteRow
from app.notes.search import Search
from app.web.locale import local_day


@dataclass(frozen=True)
class Entry:
    """A note as the list shows it. `marked_name` and `excerpt` are HTML with the search's hits highlighted."""

    row: NoteRow
    name: str
    marked_name: Markup
    excerpt: Markup


@dataclass(frozen=True)
class Day:
    """The notes of one day in the reader's time zone; `day` is None for the pinned notes.

    Args:
        continued: the page before ended within this day, so its heading is on the screen already.
    """

    day: date | None
    entries: list[Entry]
    continued: bool


def group_by_day(page: NotePage, search: Search) -> Iterator[Day]:
    last_of_page_before = day_of(*page.before) if page.before else ...  # not None, which is the pinned notes
    for day, rows in groupby(page.notes, lambda row: day_of(row.pinned, row.created_at)):
        yield Day(day, [entry(row, search) for row in rows], continued=day == last_of_page_before)
        last_of_page_before = ...


def day_of(pinned: bool, created_at: datetime) -> date | None:
    return None if pinned else local_day(created_at)


def entry(row: NoteRow, search: Search) -> Entry:
    name, text = name_and_excerpt(row.title, row.text)
    excerpt = excerpt_around_hit(text, search.words)
    return Entry(row, name, highlight(name, search.words), highlight(excerpt, search.words))
