"""Cookies: the signed one of the session, and what a reader chose about pages, kept in the browser. Nothing secret."""

from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from werkzeug.wrappers import Response

LIFETIME = timedelta(days=365)
# Seconds; how far apart the clocks of two machines may be: a minute, and the second to which a signed time is rounded.
CLOCK_SKEW = 61
TOKEN = "token"  # noqa: S105 - the name of the session's token in the signed cookie


class SkewTolerantSigner(TimestampSigner):
    """Take what a machine signed whose clock is up to CLOCK_SKEW ahead of ours (clock skew).

    itsdangerous refuses a signature from the future, and Flask then empties the cookie: a reader whose next request
    goes to another machine would be signed out on both. A client cannot write a time: it is signed.
    """

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        signed: tuple[Any, datetime | None]
        try:
            signed = super().unsign(signed_value, max_age, return_timestamp=True)
        except SignatureExpired as error:  # what it holds was signed by us
            if error.date_signed is None or not 0 < error.date_signed.timestamp() - self.get_timestamp() <= CLOCK_SKEW:
                raise
            signed = error.payload, error.date_signed
        return signed if return_timestamp else signed[0]


class SessionCookies(SecureCookieSessionInterface):
    """Flask's signed session cookie, the only one that ends by the time of a process: all else is the database's."""

    def __init__(self, app: Flask) -> None:
        self._serializer = super().get_signing_serializer(app)  # which Flask makes twice a request
        if self._serializer is not None:
            self._serializer.signer = SkewTolerantSigner

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        return self._serializer


def init_app(app: Flask) -> None:
    app.session_interface = SessionCookies(app)


def keep(response: Response, name: str, value: str) -> None:
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(name, value, max_age=LIFETIME, secure=secure, httponly=True, samesite="Lax")
