"""Locale negotiation: the reader's language and time zone, and the theme.

The account's choice comes first, then the browser's cookie, then the Accept-Language header.
"""

import re
import string
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from flask import Flask, g, request
from flask_login import current_user
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from app import time_zones
from app.extensions import babel
from app.web.templates import constant

LANGUAGES = {"ko": "한국어", "en": "English"}  # code: its own name
LOCALES = {code: Locale.parse(code) for code in LANGUAGES}
# How letters begin in UTF-8: those of Hangul, those of kana, and by what is deleted of a text, all others.
HANGUL, KANA = b"\xea\xeb\xec\xed", (b"\xe3\x81", b"\xe3\x82", b"\xe3\x83")
NO_LETTER = bytes({*range(0xC3), 0xE2, *range(0xEE, 0x100)} - {*string.ascii_letters.encode()})
ADDRESS = re.compile(r"https?://\S+")
LANG = {code: Markup(' lang="{}"').format(code) for code in ("ko", "ja")}


@dataclass(frozen=True, slots=True)
class Reader:
    language: str
    time_zone: ZoneInfo
    theme: str | None  # "light" or "dark"; None: as the system has it
    today: date  # in the time zone, and one for the whole page


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=lambda: LOCALES[reader_locale()])
    app.jinja_env.globals.update(languages=LANGUAGES, reader_locale=reader_locale, reader=reader)
    app.jinja_env.filters["lang"] = lang


def reader() -> Reader:
    """Negotiate once a request, since each time and each number of a page asks for it."""
    found: Reader | None = g.get("reader")
    if found is None:
        account = known_account()
        language = (account and account.language) or request.cookies.get("language")
        language = language if language in LANGUAGES else browser_locale()
        theme = request.cookies.get("theme")
        zone = ZoneInfo(_time_zone(account, language))
        theme = theme if theme in ("light", "dark") else None
        found = g.reader = Reader(language, zone, theme, datetime.now(zone).date())
    return found


@constant
def reader_locale() -> str:
    return reader().language


def lang(text: str) -> str:
    """Return the attribute of a text that is mostly Korean or Japanese, on a page of another language (WCAG 3.1.2).

    A syllable of Hangul stands for three letters, and half of Japanese is Chinese characters.
    """
    if text.isascii():
        return ""
    encoded = (ADDRESS.sub("", text) if "://" in text else text).encode()
    letters = encoded.translate(None, NO_LETTER)
    if 4 * (len(letters) - len(letters.translate(None, HANGUL))) > len(letters):
        return LANG["ko"] if reader().language != "ko" else ""
    return LANG["ja"] if 4 * sum(map(encoded.count, KANA)) > len(letters) else ""


def known_account() -> Any:
    """Return the reader's account. An error page knows only one that was read before, see app/web/errors.py."""
    if "account" not in g and "reader_is_settled" not in g:
        bool(current_user)  # looks for it, see app/accounts/browser_session.py
    return g.get("account")


def browser_locale() -> str:
    return _best_language(request.headers.get("Accept-Language", ""))


@lru_cache(maxsize=256)  # browsers say the same few things, and reading one takes as long as signing a cookie
def _best_language(accepted: str) -> str:
    return parse_accept_header(accepted, LanguageAccept).best_match(("en", "ko")) or "en"


def _time_zone(account: Any, language: str) -> str:
    """Return the zone. Without a choice, Korean means Korea's; a reader of English may be anywhere: UTC."""
    chosen = time_zones.resolved((account and account.time_zone) or request.cookies.get("time_zone", ""))
    if chosen in time_zones.names():
        return chosen
    return "Asia/Seoul" if language == "ko" else "UTC"


def today() -> date:
    """Return today where the reader is."""
    return reader().today


def local_day(value: datetime) -> date:
    """Return the day of a moment where the reader is."""
    return value.astimezone(reader().time_zone).date()
