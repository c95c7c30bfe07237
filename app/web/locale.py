"""The reader's language and time zone."""

from flask import Flask, request

from app.extensions import babel

LANGUAGES = ("en", "ko")


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=reader_locale, timezone_selector=reader_time_zone)
    app.jinja_env.globals["reader_locale"] = reader_locale


def reader_locale() -> str:
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def reader_time_zone() -> str:
    """Korea has one zone; a reader of English may be anywhere, and times say which zone they are in."""
    return "Asia/Seoul" if reader_locale() == "ko" else "UTC"
