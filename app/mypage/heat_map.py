"""The heat map: a square for each day of the last 26 weeks, darker the more notes were written. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = 26
PITCH = 20  # from one square to the next, in units of the SVG's viewBox
LEVELS = 3  # of colour, besides level 0 for a day without notes


@dataclass(frozen=True, slots=True)
class Square:
    """A day in the picture."""

    x: int
    y: int
    level: int  # 0 for no notes; the day with the most has LEVELS


def squares(notes_by_day: Mapping[date, int], today: date) -> list[Square]:
    """A column for each week with Monday on top. The last square is today."""
    first = first_day(today)
    most = max(notes_by_day.values(), default=1)
    levels = {(day - first).days: -(-LEVELS * written // most) for day, written in notes_by_day.items()}  # rounded up
    return [
        Square(x=number // 7 * PITCH, y=number % 7 * PITCH, level=levels.get(number, 0))
        for number in range((today - first).days + 1)
    ]


def busiest_week(notes_by_day: Mapping[date, int]) -> tuple[date, int] | None:
    """The Monday of the week with the most notes, and their number. Of equal weeks the last."""
    weeks: Counter[date] = Counter()
    for day, written in notes_by_day.items():
        weeks[monday(day)] += written
    return max(weeks.items(), key=lambda week: (week[1], week[0]), default=None)


def first_day(today: date) -> date:
    """The Monday with which the heat map begins."""
    return monday(today) - timedelta(weeks=WEEKS - 1)


def monday(day: date) -> date:
    return day - timedelta(day.weekday())
