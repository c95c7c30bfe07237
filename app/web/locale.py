"""The reader's language and time zone."""

from datetime import datetime

from flask import Flask, request
from flask_babel import format_datetime

from app.extensions import babel

LANGUAGES = ("en", "ko")
# Unicode TR 35 patterns. Babel's own for Korean says PM where Koreans say 오후, which is its wide form, aaaa.
DATE_AND_TIME = {"en": "d MMM y, HH:mm z", "ko": "y. M. d. aaaa h:mm"}


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=reader_locale, timezone_selector=reader_time_zone)
    app.jinja_env.globals["reader_locale"] = reader_locale
    app.jinja_env.filters["date_and_time"] = date_and_time


def reader_locale() -> str:
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def reader_time_zone() -> str:
    """Korea has one zone; a reader of English may be anywhere, and times say which zone they are in."""
    return "Asia/Seoul" if reader_locale() == "ko" else "UTC"


def date_and_time(value: datetime) -> str:
    """In the reader's language and zone."""
    shown: str = format_datetime(value, DATE_AND_TIME[reader_locale()])
    return shown
