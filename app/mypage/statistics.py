"""What my page counts: the features say how, and one statement asks them all."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from sqlalchemy import Select, select

from app.accounts import devices
from app.extensions import db
from app.portable import Portable

WEEKS = 26
PITCH = 20  # of the squares, in units of the picture
LEVELS = 3  # of a day with notes; the fullest day has the highest


@dataclass(frozen=True, slots=True)
class Square:
    """A day in the picture; level 0 is a day without notes."""

    x: int
    y: int
    level: int


@dataclass(frozen=True)
class Statistics:
    """
    Args:
        notes: those in the trash are none.
        other_devices: that are signed in, besides the one that asks.
        days: of the last WEEKS weeks, the week of today included, those on which notes were written.
    """

    notes: int
    todos: int
    todos_done: int
    wordcounts: int
    other_devices: int
    days: Mapping[date, int]
    today: date

    @property
    def written(self) -> int:
        """Notes of the last WEEKS weeks."""
        return sum(self.days.values())

    @property
    def busiest_week(self) -> tuple[date, int] | None:
        """Its Monday and its notes; of equally busy ones the last."""
        weeks: Counter[date] = Counter()
        for day, written in self.days.items():
            weeks[monday(day)] += written
        return max(weeks.items(), key=lambda week: (week[1], week[0]), default=None)

    def squares(self) -> list[Square]:
        """A column a week, Monday on top; it ends with today."""
        first = first_day(self.today)
        most = max(self.days.values(), default=1)
        return [
            Square(
                x=number // 7 * PITCH,
                y=number % 7 * PITCH,
                level=-(-LEVELS * self.days.get(first + timedelta(number), 0) // most),
            )
            for number in range((self.today - first).days + 1)
        ]


def monday(day: date) -> date:
    return day - timedelta(day.weekday())


def first_day(today: date) -> date:
    return monday(today) - timedelta(weeks=WEEKS - 1)


@cache
def _statement(portables: tuple[Portable, ...]) -> Select[tuple[object, ...]]:
    """Built once: the factory names the same features to every request."""
    figures = (figure.label(name) for portable in portables for name, figure in portable.FIGURES.items())
    return select(*figures, devices.OTHERS.label("other_devices"))


def statistics(user_id: int, session_id: int, portables: tuple[Portable, ...], zone: str, today: date) -> Statistics:
    """One statement.

    Args:
        session_id: of the device that asks.
        portables: the features' modules.
        zone: an IANA name; in which a day begins.
        today: the day there.
    """
    asked = {"owner": user_id, "user_id": user_id, "session_id": session_id, "zone": zone, "since": first_day(today)}
    figures = dict(db.session.execute(_statement(portables), asked).one()._mapping)
    written = figures.pop("notes_by_day") or {}
    days = {date.fromisoformat(day): count for day, count in written.items()}
    return Statistics(**figures, days=days, today=today)
