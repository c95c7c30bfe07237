"""Cookies: the signed one of the session, and what a reader chose about pages, kept in the browser. Nothing secret."""

from datetime import timedelta
from functools import cache

from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.wrappers import Response

LIFETIME = timedelta(days=365)
TOKEN = "token"  # noqa: S105 - the name of the session's token in the signed cookie


class SessionCookies(SecureCookieSessionInterface):
    """Flask's signed session cookie. The serializer is built once, not twice a request."""

    @cache  # noqa: B019 - there is one of these, for the one application
    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        return super().get_signing_serializer(app)


def init_app(app: Flask) -> None:
    app.session_interface = SessionCookies()


def keep(response: Response, name: str, value: str) -> None:
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(name, value, max_age=LIFETIME, secure=secure, httponly=True, samesite="Lax")
