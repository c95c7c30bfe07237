"""The figures of my page. Each feature says where its own stand; one statement asks for all of them."""

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
from app.mypage.heat_map import Half, busiest_week, first_day, halves
from app.time_zones import midnight

# Name: where it stands. A figure may use the parameters `owner`, `midnights`, in which the days of the heat map begin
# (an array as PostgreSQL writes it), and `since`, the first of them.
Figures = Mapping[str, ColumnElement[Any]]


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
        return busiest_week(self.days)

    def halves(self) -> list[Half]:
        return halves(self.days, self.today)

    def days_by_month(self) -> list[list[tuple[date, int]]]:
        """Return the days with notes, the newest first, a list for each month."""
        newest_first = sorted(self.days.items(), reverse=True)
        return [list(days) for _, days in groupby(newest_first, lambda day: (day[0].year, day[0].month))]


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
    """Return the figures of my page, by one statement.

    Args:
        session_id: of the device that asks.
        figures: of all features.
        zone: in which a day begins.
        today: the day there.
    """
    first = first_day(today)
    days_begin = {"since": midnight(first, zone), "midnights": _midnights(first, today, zone)}
    asked = {"owner": user_id, "user_id": user_id, "session_id": session_id, **days_begin}
    counted = dict(read(_statement(tuple(figures.items())), asked).one()._mapping)
    by_day = counted.pop("notes_by_day") or {}
    days = {first + timedelta(days=int(number) - 1): count for number, count in by_day.items()}
    return Overview(**counted, days=days, today=today)
