"""The heat map: a square for each day of the last 26 weeks, darker the more notes were written. Pure.

It is drawn as two halves, which stand side by side or, on a phone, one below the other: so a square is large enough to
be tapped, and its labels to be read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = 26
HALF = WEEKS // 2
PITCH = 20  # from one square to the next, in units of the SVG's viewBox
LEFT, TOP = 30, 20  # of the first square; the names of weekdays and months stand before it
LEVELS = 3  # of colour, besides level 0 for a day without notes
LABEL_WEEKS = 2  # that the name of a month is wide


@dataclass(frozen=True, slots=True)
class Square:
    """A day in the picture."""

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
        return [(square.y, square.day) for square in self.squares[:7:2]][:3]


def halves(notes_by_day: Mapping[date, int], today: date) -> list[Half]:
    """Draw a column for each week with Monday on top. The last square is today."""
    first = first_day(today)
    begins = (first, first + timedelta(weeks=HALF))
    ends = (begins[1], today + timedelta(days=1))
    most = max(notes_by_day.values(), default=1)
    return [
        Half([_square(begin, day, notes_by_day.get(day, 0), most) for day in _days(begin, end)], _months(begin))
        for begin, end in zip(begins, ends, strict=True)
    ]


def _square(begin: date, day: date, notes: int, most: int) -> Square:
    week, weekday = divmod((day - begin).days, 7)
    level = -(-LEVELS * notes // most)  # rounded up
    return Square(LEFT + week * PITCH, TOP + weekday * PITCH, day, notes, level)


def _days(begin: date, end: date) -> Iterator[date]:
    return (begin + timedelta(days=number) for number in range((end - begin).days))


def _months(begin: date) -> list[tuple[int, date]]:
    """Name a month above the week with its first day, and the first one of a half at once, if it has room."""
    sundays = [begin + timedelta(weeks=week, days=6) for week in range(HALF)]
    named = [week for week, sunday in enumerate(sundays) if sunday.day <= 7]
    if named[0] >= LABEL_WEEKS:
        named.insert(0, 0)
    return [(LEFT + week * PITCH, sundays[week]) for week in named]


def busiest_week(notes_by_day: Mapping[date, int]) -> tuple[date, int] | None:
    """Return the Monday of the week with the most notes, and their number. Of equal weeks the last."""
    weeks: Counter[date] = Counter()
    for day, written in notes_by_day.items():
        weeks[monday(day)] += written
    return max(weeks.items(), key=lambda week: (week[1], week[0]), default=None)


def first_day(today: date) -> date:
    """Return the Monday with which the heat map begins."""
    return monday(today) - timedelta(weeks=WEEKS - 1)


def monday(day: date) -> date:
    return day - timedelta(day.weekday())
