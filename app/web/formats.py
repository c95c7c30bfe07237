"""Template filters: how days, times and numbers are written in the reader's language.

Babel interprets a pattern in about 20 µs. A list has a time in each row, so what was written once is kept (memoized):
the minutes of a day, the days of some years and the small numbers come to a few thousand.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from babel import Locale, dates
from babel.numbers import format_decimal, format_percent
from flask import Flask
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _

from app.web.locale import local_day, reader, today

# Patterns of Unicode TR 35. Babel's own Korean one writes PM; aaaa, the wide form, writes 오후 as Koreans do.
DATE = {"en": "d MMM y", "ko": "y. M. d."}
CLOCK = {"en": "HH:mm", "ko": "aaaa h:mm"}
TIME = {"en": "h:mm a", "ko": "aaaa h:mm"}
DAY = {"en": "EEEE, MMM d", "ko": "M월 d일 EEEE"}
SHORT_DAY = {"en": "EEE, MMM d", "ko": "M월 d일(EEE)"}
DAY_OF_ANOTHER_YEAR = {"en": "MMM d, y", "ko": "y년 M월 d일"}
MONTH = {"en": "MMMM y", "ko": "y년 M월"}
SHORT_MONTH, WEEKDAY = "MMM", "EEE"
DATE_OF_YEAR = {"en": "MMM d", "ko": "M월 d일"}
DAY_OF_MONTH = {"en": "EEE d", "ko": "d일 (EEE)"}
DAY_NAMES = {-1: _("Yesterday"), 0: _("Today"), 1: _("Tomorrow")}


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        ago=ago, date_and_time=date_and_time, date_of_year=date_of_year, time_of_day=time_of_day, day=day,
        day_name=day_name, day_of_month=day_of_month, month=month, number=number, percent=percent,
        short_month=short_month, timestamp=timestamp, weekday=weekday,
    )  # fmt: skip


def timestamp(value: datetime) -> str:
    """An aware datetime for <time datetime>: "2026-11-21T05:04Z"."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def date_and_time(value: datetime) -> str:
    """An aware datetime: "2026. 11. 21. 오후 2:04", and in English "21 Nov 2026, 05:04 UTC"."""
    language, there = reader().language, value.astimezone(reader().time_zone)
    shown = _date(there.date(), DATE[language], language), _time(there.hour, there.minute, CLOCK[language], language)
    if language == "ko":
        return " ".join(shown)
    return f"{', '.join(shown)} {_zone_name(there)}"


def time_of_day(value: datetime) -> str:
    """An aware datetime: "오후 2:04"."""
    who = reader()
    language, there = who.language, value.astimezone(who.time_zone)
    return _time(there.hour, there.minute, TIME[language], language)


def day(value: date) -> str:
    """A day: "11월 21일 토요일", or "2025년 11월 21일" in another year than this."""
    return _day(value, DAY)


def short_day(value: date) -> str:
    """A day: "11월 21일(토)", or "2025년 11월 21일" in another year than this."""
    return _day(value, SHORT_DAY)


def _day(value: date, this_year: dict[str, str]) -> str:
    language = reader().language
    patterns = this_year if value.year == today().year else DAY_OF_ANOTHER_YEAR
    return _date(value, patterns[language], language)


def date_of_year(value: date) -> str:
    """A day without its weekday and year: "11월 21일"."""
    language = reader().language
    return _date(value, DATE_OF_YEAR[language], language)


def day_of_month(value: date) -> str:
    """A day in a list of its month: "21일 (토)"."""
    language = reader().language
    return _date(value, DAY_OF_MONTH[language], language)


def weekday(value: date) -> str:
    """ "토" """
    return _date(value, WEEKDAY, reader().language)


def short_month(value: date) -> str:
    """ "11월", and in English "Nov"."""
    return _date(value, SHORT_MONTH, reader().language)


def day_name(value: date) -> str | None:
    """The name of a near day: "오늘"; None for any other."""
    name = DAY_NAMES.get((value - today()).days)
    return name and str(name)


def ago(value: datetime) -> str:
    """A past moment: "3일 전"; its day once a week has passed."""
    passed = datetime.now(UTC) - value
    if passed >= timedelta(days=7):
        return day(local_day(value))
    if passed < timedelta(minutes=1):
        shown: str = gettext("just now")
        return shown
    return _minutes_ago(passed // timedelta(minutes=1), reader().language)


def month(value: datetime | date) -> str:
    """A day, or the day of an aware datetime: "2026년 3월"."""
    language = reader().language
    return _date(local_day(value) if isinstance(value, datetime) else value, MONTH[language], language)


def number(value: int) -> str:
    """1284: "1,284"."""
    if 0 <= value < 1000:  # no separator in any of our languages, so that a long table need not ask for the reader's
        return str(value)
    return _decimal(value, get_locale())


def percent(value: float, digits: int = 0) -> str:
    """7.428: "7%", with two digits "7.43%"."""
    return _percent(round(value, digits), digits, get_locale())


@lru_cache(maxsize=4096)
def _date(value: date, pattern: str, language: str) -> str:
    return dates.format_date(value, pattern, locale=language)


@lru_cache(maxsize=4096)
def _time(hour: int, minute: int, pattern: str, language: str) -> str:
    return dates.format_time(time(hour, minute), pattern, locale=language)


_zone_names: dict[tuple[object, ...], str] = {}


def _zone_name(value: datetime) -> str:
    """The zone of a moment as English writes it: "EDT" in summer and "EST" in winter."""
    clock = value.tzinfo, value.utcoffset(), value.dst()
    if clock not in _zone_names:
        _zone_names[clock] = dates.get_timezone_name(value, "short", locale="en")
    return _zone_names[clock]


@lru_cache(maxsize=4096)
def _minutes_ago(minutes: int, language: str) -> str:
    return dates.format_timedelta(timedelta(minutes=-minutes), add_direction=True, locale=language)


@lru_cache(maxsize=4096)
def _decimal(value: int, locale: Locale) -> str:
    return format_decimal(value, locale=locale)


@lru_cache(maxsize=4096)
def _percent(value: float, digits: int, locale: Locale) -> str:
    places = f".{'0' * digits}" if digits else ""
    return format_percent(value / 100, f"#,##0{places}%", locale=locale)
