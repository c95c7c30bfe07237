"""Cookies that keep what a reader chose about pages; nothing secret."""

from datetime import timedelta

from flask import current_app
from werkzeug.wrappers import Response

KEPT = timedelta(days=365)


def keep(response: Response, name: str, value: str) -> None:
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(name, value, max_age=KEPT, secure=secure, httponly=True, samesite="Lax")
