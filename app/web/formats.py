"""Template filters: days, times and numbers in the reader's language, in one style (tests/web/test_preferences.py).

The year stands only where it is not this year, a weekday only with a deadline, where it helps to plan. Times are in the
reader's zone, and do not name it. While the zone is not known, they are in UTC and say so. Babel interprets a pattern
in about 20 µs, and a list has a time in each row, so what was written once is kept: a few thousand days and minutes.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from babel import dates
from babel.numbers import format_decimal, format_percent
from flask import Flask
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _

from app.web.locale import LOCALES, local_day, reader, today

# Skeletons of CLDR (Unicode TR 35): which parts to write. Their order and punctuation are the language's.
DAY, DEADLINE, MONTH, SHORT_MONTH, WEEKDAY, TIME = "MMMd", "MMMEd", "yMMMM", "MMM", "E", "hm"
DAY_NAMES = {-1: _("Yesterday"), 0: _("Today"), 1: _("Tomorrow")}


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        ago=ago, date_and_time=date_and_time, day=day, day_name=day_name, deadline=deadline, month=month, number=number,
        percent=percent, short_month=short_month, time_of_day=time_of_day, timestamp=timestamp, weekday=weekday,
    )  # fmt: skip


def timestamp(value: datetime) -> str:
    """Format an aware datetime for <time datetime>: "2026-11-21T05:04Z"."""
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='minutes')}Z"


def date_and_time(value: datetime) -> str:
    """Format an aware datetime: "11월 21일 오후 2:04"; "Nov 21, 5:04 AM UTC" while the zone is not known."""
    who = reader()
    there = value.astimezone(who.time_zone)
    joined = LOCALES[who.language].datetime_formats["medium"]  # "{1}, {0}" in English
    shown = str(joined).format(_time(there.hour, there.minute, who.language), day(there.date()))
    return f"{shown} UTC" if who.time_zone.key == "UTC" else shown


def time_of_day(value: datetime) -> str:
    """Format the time of an aware datetime: "오후 2:04"."""
    who = reader()
    there = value.astimezone(who.time_zone)
    return _time(there.hour, there.minute, who.language)


def day(value: date) -> str:
    """Format a day: "11월 21일", or "2025년 11월 21일" in another year than this."""
    return _day(value, DAY)


def deadline(value: date) -> str:
    """Format a day with its weekday: "11월 21일(토)". It stands in a narrow column, so its spaces do not break."""
    return _day(value, DEADLINE).replace(" (", "(").replace(" ", "\N{NO-BREAK SPACE}")


def _day(value: date, skeleton: str) -> str:
    return _date(value, skeleton if value.year == today().year else f"y{skeleton}", reader().language)


def weekday(value: date) -> str:
    return _date(value, WEEKDAY, reader().language)


def short_month(value: date) -> str:
    """Format a month: "11월", and in English "Nov"."""
    return _date(value, SHORT_MONTH, reader().language)


def day_name(value: date) -> str | None:
    """Return the name of a near day: "오늘"; None for any other."""
    name = DAY_NAMES.get((value - today()).days)
    return None if name is None else str(name)  # a lazy one would be translated for its truth, too


def ago(value: datetime) -> str:
    """Format a past moment: "3일 전", or its day once a week has passed."""
    passed = datetime.now(UTC) - value
    if passed >= timedelta(days=7):
        return day(local_day(value))
    if passed < timedelta(minutes=1):
        shown: str = gettext("just now")
        return shown
    whole = passed // timedelta(minutes=1) * timedelta(minutes=1)
    return _timedelta(-whole, add_direction=True, locale=reader().language)


def month(value: datetime | date) -> str:
    """Format the month of a day or of an aware datetime: "2026년 3월"."""
    return _date(local_day(value) if isinstance(value, datetime) else value, MONTH, reader().language)


def duration(seconds: int) -> str:
    """Format a time to wait: "3분"."""
    return dates.format_timedelta(timedelta(seconds=seconds), threshold=1, locale=LOCALES[reader().language])


def number(value: int) -> str:
    """Format a number: "1,284"."""
    if 0 <= value < 1000:  # no separator in any of our languages, so that a long table need not ask for the reader's
        return str(value)
    return _decimal(value, locale=get_locale())


def percent(value: float, digits: int = 0) -> str:
    """Format 7.428 as "7%", with two digits as "7.43%"."""
    places = f".{'0' * digits}" if digits else ""
    return _percent(round(value, digits) / 100, f"#,##0{places}%", locale=get_locale())


_timedelta = lru_cache(maxsize=4096)(dates.format_timedelta)
_decimal = lru_cache(maxsize=4096)(format_decimal)
_percent = lru_cache(maxsize=4096)(format_percent)


@lru_cache(maxsize=4096)
def _date(value: date, skeleton: str, language: str) -> str:
    locale = LOCALES[language]
    return dates.format_date(value, locale.datetime_skeletons[skeleton].pattern, locale=locale)


@lru_cache(maxsize=4096)
def _time(hour: int, minute: int, language: str) -> str:
    """Write the wide day period "aaaa", since CLDR's short one in Korean is "AM", which nobody writes."""
    locale = LOCALES[language]
    pattern = locale.datetime_skeletons[TIME].pattern.replace("a", "aaaa")
    return dates.format_time(time(hour, minute), pattern, locale=locale)
