"""Locale negotiation: the reader's language and time zone.

The account's choice comes first, then the browser's cookie, then the Accept-Language header.
"""

import zoneinfo
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, request
from flask_login import current_user

from app.extensions import babel

LANGUAGES = {"ko": "한국어", "en": "English"}  # code: its own name


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=reader_locale, timezone_selector=reader_time_zone)
    app.jinja_env.globals.update(languages=LANGUAGES, reader_locale=reader_locale)


def reader_locale() -> str:
    account = known_account()
    chosen = (account and account.language) or request.cookies.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    return browser_locale()


def browser_locale() -> str:
    return request.accept_languages.best_match(("en", "ko")) or "en"


def reader_time_zone() -> str:
    """Without a choice: Korea's for Korean. A reader of English may be anywhere: UTC, and times say so."""
    account = known_account()
    chosen = (account and account.time_zone) or request.cookies.get("time_zone")
    if chosen in time_zones():
        return str(chosen)
    return "Asia/Seoul" if reader_locale() == "ko" else "UTC"


def known_account() -> Any:
    """The reader's account. An error page knows only one that was read before, see app/web/errors.py."""
    return current_user if current_user.is_authenticated else None


@cache
def time_zones() -> frozenset[str]:
    """The IANA names that may be chosen: places and UTC, without the old abbreviations and the fixed offsets."""
    return frozenset(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")) | {
        "UTC"
    }


def today() -> date:
    """Today where the reader is."""
    return datetime.now(ZoneInfo(reader_time_zone())).date()


def local_day(value: datetime) -> date:
    """The day of a moment where the reader is."""
    return value.astimezone(ZoneInfo(reader_time_zone())).date()
