"""The reader's language and time zone, and how numbers, days and times are shown in them.

The account's choice counts first, then the browser's cookie, then what the browser asks for.
"""

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.numbers import format_decimal, format_percent
from flask import Flask, g, request
from flask_babel import format_date, format_datetime, format_timedelta, get_locale
from flask_babel import gettext as _
from flask_login import current_user

from app.extensions import babel

LANGUAGES = {"ko": "한국어", "en": "English"}  # code: its own name
# Unicode TR 35 patterns. Babel's own for Korean says PM where Koreans say 오후, which is its wide form, aaaa.
DATE_AND_TIME = {"en": "d MMM y, HH:mm z", "ko": "y. M. d. aaaa h:mm"}
TIME = {"en": "h:mm a", "ko": "aaaa h:mm"}
DAY = {"en": "EEEE, MMM d", "ko": "M월 d일 EEEE"}
DAY_OF_ANOTHER_YEAR = {"en": "MMM d, y", "ko": "y년 M월 d일"}
MONTH = {"en": "MMMM y", "ko": "y년 M월"}


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=reader_locale, timezone_selector=reader_time_zone)
    app.jinja_env.globals.update(languages=LANGUAGES, reader_locale=reader_locale, theme=theme)
    app.jinja_env.filters.update(
        ago=ago, date_and_time=date_and_time, time_of_day=time_of_day, day=day, day_name=day_name, month=month,
        number=number, percent=percent,
    )  # fmt: skip


def reader_locale() -> str:
    account = known_account()
    chosen = (account and account.language) or request.cookies.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return browser_locale()


def browser_locale() -> str:
    return request.accept_languages.best_match(("en", "ko")) or "en"


def reader_time_zone() -> str:
    """Without a choice: Korea has one; a reader of English may be anywhere, and times say which zone they are in."""
    account = known_account()
    chosen = (account and account.time_zone) or request.cookies.get("time_zone")
    if chosen in time_zones():
        return str(chosen)
    return "Asia/Seoul" if reader_locale() == "ko" else "UTC"


def known_account() -> Any:
    """The reader's account; on an error page only if it was read already, since the database may be what failed."""
    if not g.get("is_error_page"):
        return current_user if current_user.is_authenticated else None
    return g.get("account")


def theme() -> str | None:
    """The reader's choice of colours, or None: as the system has them."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in ("light", "dark") else None


@cache
def time_zones() -> frozenset[str]:
    """The names that people choose from: places, not the abbreviations and offsets of old."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")) | {
        "UTC"
    }


def today() -> date:
    """The reader's."""
    return datetime.now(ZoneInfo(reader_time_zone())).date()


def local_day(value: datetime) -> date:
    """The day on which a moment was, where the reader is."""
    return value.astimezone(ZoneInfo(reader_time_zone())).date()


def date_and_time(value: datetime) -> str:
    """A moment (with a zone): "2026. 11. 21. 오후 2:04"."""
    shown: str = format_datetime(value, DATE_AND_TIME[reader_locale()])
    return shown


def time_of_day(value: datetime) -> str:
    """A moment: "오후 2:04"."""
    shown: str = format_datetime(value, TIME[reader_locale()])
    return shown


def day(value: date) -> str:
    """A day: "11월 21일 토요일", in another year than the reader's "2025년 11월 21일"."""
    patterns = DAY if value.year == today().year else DAY_OF_ANOTHER_YEAR
    shown: str = format_date(value, patterns[reader_locale()])
    return shown


def day_name(value: date) -> str | None:
    """What people call a day that is near: "오늘"; None when it is not."""
    names = {-1: _("Yesterday"), 0: _("Today"), 1: _("Tomorrow")}
    return names.get((value - today()).days)


def ago(value: datetime) -> str:
    """A moment that is over: "3일 전", its day once it is a week ago."""
    passed = datetime.now(UTC) - value
    if passed >= timedelta(days=7):
        return day(local_day(value))
    shown: str = _("just now") if passed < timedelta(minutes=1) else format_timedelta(-passed, add_direction=True)
    return shown


def month(value: datetime) -> str:
    """A moment: "2026년 3월"."""
    shown: str = format_datetime(value, MONTH[reader_locale()])
    return shown


def number(value: int) -> str:
    """1284: "1,284"."""
    return _decimal(value, get_locale())


def percent(value: float, digits: int = 0) -> str:
    """7.428: "7%", with two digits "7.43%"."""
    return _percent(round(value, digits), digits, get_locale())


# A table of words has thousands of numbers, most of them small and alike.
@lru_cache(maxsize=4096)
def _decimal(value: int, locale: Locale) -> str:
    return format_decimal(value, locale=locale)


@lru_cache(maxsize=4096)
def _percent(value: float, digits: int, locale: Locale) -> str:
    places = f".{'0' * digits}" if digits else ""
    return format_percent(value / 100, f"#,##0{places}%", locale=locale)
