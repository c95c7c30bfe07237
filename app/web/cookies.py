"""Preference cookies: what a reader chose about pages, kept in the browser. Nothing secret."""

from datetime import timedelta

from flask import Flask, current_app, request
from werkzeug.wrappers import Response

LIFETIME = timedelta(days=365)


def init_app(app: Flask) -> None:
    app.jinja_env.globals["theme"] = theme


def keep(response: Response, name: str, value: str) -> None:
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(name, value, max_age=LIFETIME, secure=secure, httponly=True, samesite="Lax")


def theme() -> str | None:
    """The colours that the reader chose; None: as the system has them."""
    chosen = request.cookies.get("theme")
    return chosen if chosen in ("light", "dark") else None
