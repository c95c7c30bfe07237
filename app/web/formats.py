"""Template filters: how days, times and numbers are written in the reader's language."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from babel import Locale
from babel.numbers import format_decimal, format_percent
from flask import Flask
from flask_babel import format_date, format_datetime, format_timedelta, get_locale
from flask_babel import gettext as _

from app.web.locale import local_day, reader_locale, today

# Patterns of Unicode TR 35. Babel's own Korean one writes PM; aaaa, the wide form, writes 오후 as Koreans do.
DATE_AND_TIME = {"en": "d MMM y, HH:mm z", "ko": "y. M. d. aaaa h:mm"}
TIME = {"en": "h:mm a", "ko": "aaaa h:mm"}
DAY = {"en": "EEEE, MMM d", "ko": "M월 d일 EEEE"}
DAY_OF_ANOTHER_YEAR = {"en": "MMM d, y", "ko": "y년 M월 d일"}
MONTH = {"en": "MMMM y", "ko": "y년 M월"}


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        ago=ago, date_and_time=date_and_time, time_of_day=time_of_day, day=day, day_name=day_name, month=month,
        number=number, percent=percent,
    )  # fmt: skip


def date_and_time(value: datetime) -> str:
    """An aware datetime: "2026. 11. 21. 오후 2:04"."""
    shown: str = format_datetime(value, DATE_AND_TIME[reader_locale()])
    return shown


def time_of_day(value: datetime) -> str:
    """An aware datetime: "오후 2:04"."""
    shown: str = format_datetime(value, TIME[reader_locale()])
    return shown


def day(value: date) -> str:
    """A day: "11월 21일 토요일", or "2025년 11월 21일" in another year than this."""
    patterns = DAY if value.year == today().year else DAY_OF_ANOTHER_YEAR
    shown: str = format_date(value, patterns[reader_locale()])
    return shown


def day_name(value: date) -> str | None:
    """The name of a near day: "오늘"; None for any other."""
    names = {-1: _("Yesterday"), 0: _("Today"), 1: _("Tomorrow")}
    return names.get((value - today()).days)


def ago(value: datetime) -> str:
    """A past moment: "3일 전"; its day once a week has passed."""
    passed = datetime.now(UTC) - value
    if passed >= timedelta(days=7):
        return day(local_day(value))
    shown: str = _("just now") if passed < timedelta(minutes=1) else format_timedelta(-passed, add_direction=True)
    return shown


def month(value: datetime) -> str:
    """An aware datetime: "2026년 3월"."""
    shown: str = format_datetime(value, MONTH[reader_locale()])
    return shown


def number(value: int) -> str:
    """1284: "1,284"."""
    return _decimal(value, get_locale())


def percent(value: float, digits: int = 0) -> str:
    """7.428: "7%", with two digits "7.43%"."""
    return _percent(round(value, digits), digits, get_locale())


# Cached: a table of words has thousands of numbers, mostly small and equal.
@lru_cache(maxsize=4096)
def _decimal(value: int, locale: Locale) -> str:
    return format_decimal(value, locale=locale)


@lru_cache(maxsize=4096)
def _percent(value: float, digits: int, locale: Locale) -> str:
    places = f".{'0' * digits}" if digits else ""
    return format_percent(value / 100, f"#,##0{places}%", locale=locale)
