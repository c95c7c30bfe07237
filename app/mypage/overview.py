"""The figures of my page, and its heat map. Each feature says where its figures stand; one statement asks for all.

The heat map has a square for each day of the last 26 weeks, darker the more notes were written. It is drawn as two
halves, which stand side by side or, on a phone, one below the other: so a square is large enough to be tapped, and its
labels to be read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, null, select

from app.accounts import sessions
from app.extensions import read
from app.figures import Figure
from app.time_zones import midnight

WEEKS = 26
HALF = WEEKS // 2
PITCH = 20  # from one square to the next, in units of the SVG's viewBox
LEFT, TOP = 30, 20  # of the first square; the names of weekdays and months stand before it
LEVELS = 3  # of colour, besides level 0 for a day without notes
LABEL_WEEKS = 2  # that the name of a month is wide


class Square(NamedTuple):
    x: int
    y: int
    day: date


class Half(NamedTuple):
    """Thirteen weeks."""

    squares: list[Square]
    months: list[tuple[int, date]]  # where the name of a month stands, and a day of that month


@dataclass(frozen=True)
class Overview:
    figures: Sequence[tuple[Figure, int, int | None, int | None]]  # and its number, of how many, and the room left
    other_devices: int  # besides the one that asks
    days: Counter[date]  # of the heat map: how many notes were written
    today: date

    @property
    def busiest_week(self) -> tuple[date, int] | None:
        """Return the Monday of the week with the most notes, and their number. Of equal weeks the last."""
        weeks: Counter[date] = Counter()
        for day, written in self.days.items():
            weeks[monday(day)] += written
        return max(weeks.items(), key=lambda week: (week[1], week[0]), default=None)

    @property
    def halves(self) -> tuple[Half, Half]:
        return _halves(self.today)

    def level(self, notes: int) -> int:
        """Return the colour of a day with so many notes: 0 for none; the day with the most has LEVELS."""
        return -(-LEVELS * notes // max(self.days.values(), default=1))  # rounded up

    def days_by_month(self) -> list[list[tuple[date, int]]]:
        """Return the days with notes, the newest first, a list for each month."""
        newest_first = sorted(self.days.items(), reverse=True)
        return [list(days) for _, days in groupby(newest_first, lambda day: (day[0].year, day[0].month))]


@lru_cache(maxsize=8)  # everybody's; around midnight some readers have another day
def _halves(today: date) -> tuple[Half, Half]:
    """Draw a column for each week with Monday on top. The last square is today."""
    first = first_day(today)
    second = first + timedelta(weeks=HALF)
    return _half(first, second), _half(second, today + timedelta(days=1))


def _half(begin: date, end: date) -> Half:
    """Name a month above the week with its first day, and the first one of a half at once, if it has room."""
    weeks = [divmod(number, 7) for number in range((end - begin).days)]
    squares = [Square(LEFT + x * PITCH, TOP + y * PITCH, begin + timedelta(weeks=x, days=y)) for x, y in weeks]
    sundays = [begin + timedelta(weeks=week, days=6) for week in range(HALF)]
    named = [week for week, sunday in enumerate(sundays) if sunday.day <= 7]
    if named[0] >= LABEL_WEEKS:
        named.insert(0, 0)
    return Half(squares, [(LEFT + week * PITCH, sundays[week]) for week in named])


def first_day(today: date) -> date:
    """Return the Monday with which the heat map begins."""
    return monday(today) - timedelta(weeks=WEEKS - 1)


def monday(day: date) -> date:
    return day - timedelta(day.weekday())


@cache
def _statement(figures: tuple[Figure, ...], by_day: ColumnElement[Any]) -> Select[tuple[object, ...]]:
    """Build the statement once: the factory names the same figures for every request."""
    columns = [
        func.json_build_array(figure.number, null() if figure.of is None else figure.of, figure.room).label(f"n{place}")
        for place, figure in enumerate(figures)
    ]
    return select(*columns, by_day.label("by_day"), sessions.OTHERS.label("other_devices"))


@lru_cache(maxsize=256)
def _midnights(first: date, today: date, zone: ZoneInfo) -> str:
    """Write the array once a day for each zone."""
    days = (first + timedelta(days=number) for number in range((today - first).days + 1))
    return "{" + ",".join(midnight(day, zone).isoformat() for day in days) + "}"


def overview(
    user_id: int, session_id: int, figures: tuple[Figure, ...], by_day: ColumnElement[Any], zone: ZoneInfo, today: date
) -> Overview:
    """Return the figures of my page, by one statement. A day begins in `zone`, where it is `today`."""
    first = first_day(today)
    days_begin = {"since": midnight(first, zone), "midnights": _midnights(first, today, zone)}
    asked = {"owner": user_id, "user_id": user_id, "session_id": session_id, **days_begin}
    row = read(_statement(figures, by_day), asked).one()
    counted = [(figure, *numbers) for figure, numbers in zip(figures, row, strict=False)]
    days = Counter({first + timedelta(days=int(place) - 1): count for place, count in (row.by_day or {}).items()})
    return Overview(counted, row.other_devices, days, today)
