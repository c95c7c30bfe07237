"""The figures of my page, and its heat map. Each feature says where its figures stand; one statement asks for all.

The heat map has a square for each day of the last 26 weeks, darker the more notes were written. It is drawn as two
halves, which stand side by side or, on a phone, one below the other: so a square is large enough to be tapped, and its
labels to be read.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, select

from app.accounts import sessions
from app.extensions import read
from app.time_zones import midnight

# Name: where it stands. A figure may use the parameters `owner`, `midnights`, in which the days of the heat map begin
# (an array as PostgreSQL writes it), and `since`, the first of them.
Figures = Mapping[str, ColumnElement[Any]]

WEEKS = 26
HALF = WEEKS // 2
PITCH = 20  # from one square to the next, in units of the SVG's viewBox
LEFT, TOP = 30, 20  # of the first square; the names of weekdays and months stand before it
LEVELS = 3  # of colour, besides level 0 for a day without notes
LABEL_WEEKS = 2  # that the name of a month is wide


@dataclass(frozen=True, slots=True)
class Square:
    x: int
    y: int
    day: date
    notes: int
    level: int  # 0 for no notes; the day with the most has LEVELS


@dataclass(frozen=True, slots=True)
class Half:
    """Thirteen weeks."""

    squares: list[Square]
    months: list[tuple[int, date]]  # where the name of a month stands, and a day of that month

    @property
    def weekdays(self) -> list[tuple[int, date]]:
        """Return where the name of a weekday stands: Monday, Wednesday, Friday."""
        return [(square.y, square.day) for square in self.squares[:5:2]]


@dataclass(frozen=True)
class Overview:
    notes: int  # without those in the trash
    todos: int
    todos_done: int
    wordcounts: int
    other_devices: int  # besides the one that asks
    days: Mapping[date, int]  # of the heat map on which notes were written, and how many
    today: date
    # How many more may be stored; None while that is far away (app/limits/quotas.py).
    notes_left: int | None = None
    todos_left: int | None = None
    wordcounts_left: int | None = None

    @property
    def written(self) -> int:
        """Count the notes of the days of the heat map."""
        return sum(self.days.values())

    @property
    def busiest_week(self) -> tuple[date, int] | None:
        """Return the Monday of the week with the most notes, and their number. Of equal weeks the last."""
        weeks: Counter[date] = Counter()
        for day, written in self.days.items():
            weeks[monday(day)] += written
        return max(weeks.items(), key=lambda week: (week[1], week[0]), default=None)

    def halves(self) -> list[Half]:
        """Draw a column for each week with Monday on top. The last square is today."""
        first = first_day(self.today)
        second = first + timedelta(weeks=HALF)
        return [
            Half(self._squares(first, second), _months(first)),
            Half(self._squares(second, self.today + timedelta(days=1)), _months(second)),
        ]

    def _squares(self, begin: date, end: date) -> list[Square]:
        most = max(self.days.values(), default=1)
        squares = []
        for number in range((end - begin).days):
            (week, weekday), day = divmod(number, 7), begin + timedelta(days=number)
            notes = self.days.get(day, 0)
            level = -(-LEVELS * notes // most)  # rounded up
            squares.append(Square(LEFT + week * PITCH, TOP + weekday * PITCH, day, notes, level))
        return squares

    def days_by_month(self) -> list[list[tuple[date, int]]]:
        """Return the days with notes, the newest first, a list for each month."""
        newest_first = sorted(self.days.items(), reverse=True)
        return [list(days) for _, days in groupby(newest_first, lambda day: (day[0].year, day[0].month))]


def _months(begin: date) -> list[tuple[int, date]]:
    """Name a month above the week with its first day, and the first one of a half at once, if it has room."""
    sundays = [begin + timedelta(weeks=week, days=6) for week in range(HALF)]
    named = [week for week, sunday in enumerate(sundays) if sunday.day <= 7]
    if named[0] >= LABEL_WEEKS:
        named.insert(0, 0)
    return [(LEFT + week * PITCH, sundays[week]) for week in named]


def first_day(today: date) -> date:
    """Return the Monday with which the heat map begins."""
    return monday(today) - timedelta(weeks=WEEKS - 1)


def monday(day: date) -> date:
    return day - timedelta(day.weekday())


@cache
def _statement(figures: tuple[tuple[str, ColumnElement[Any]], ...]) -> Select[tuple[object, ...]]:
    """Build the statement once: the factory names the same figures for every request."""
    return select(*(count.label(name) for name, count in figures), sessions.OTHERS.label("other_devices"))


@lru_cache(maxsize=256)
def _midnights(first: date, today: date, zone: ZoneInfo) -> str:
    """Write the array once a day for each zone."""
    days = (first + timedelta(days=number) for number in range((today - first).days + 1))
    return "{" + ",".join(midnight(day, zone).isoformat() for day in days) + "}"


def overview(user_id: int, session_id: int, figures: Figures, zone: ZoneInfo, today: date) -> Overview:
    """Return the figures of my page, by one statement. A day begins in `zone`, where it is `today`."""
    first = first_day(today)
    days_begin = {"since": midnight(first, zone), "midnights": _midnights(first, today, zone)}
    asked = {"owner": user_id, "user_id": user_id, "session_id": session_id, **days_begin}
    counted = dict(read(_statement(tuple(figures.items())), asked).one()._mapping)
    by_day = counted.pop("notes_by_day") or {}
    days = {first + timedelta(days=int(number) - 1): count for number, count in by_day.items()}
    return Overview(**counted, days=days, today=today)
