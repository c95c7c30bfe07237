"""Headers of every answer and every static file: CSP against XSS, HSTS, no framing (clickjacking); and cookies.

Those are the signed one of the session, and what a reader chose about pages, kept in the browser. Nothing secret.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from werkzeug.wrappers import Response

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer browsers send `Origin: null` with form posts, and old ones nothing else that tells where from.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
HSTS = "max-age=63072000; includeSubDomains"
YEAR = 365 * 24 * 3600  # seconds
# Seconds; how far apart the clocks of two machines may be: a minute, and the second to which a signed time is rounded.
CLOCK_SKEW = 61
TOKEN = "token"  # noqa: S105 - the name of the session's token in the signed cookie


def init_app(app: Flask) -> None:
    photos = urlsplit(app.config["S3_PUBLIC_URL"])
    # Nothing inline, and nothing from other sites but the bucket's photos.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' {photos.scheme}://{photos.netloc}; connect-src 'self'; manifest-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    # After signing out, no cache may show what a signed-in reader saw.
    app.extensions["headers"] = {**FIXED, "Content-Security-Policy": policy, "Cache-Control": "no-store"}
    app.after_request(set_headers)
    app.session_interface = SessionCookies(app)


def send_no_referrer() -> None:
    """Tell no page, not even our own, where its reader comes from. For a page without forms, see FIXED."""
    g.referrer_policy = "no-referrer"


def set_headers(response: Response) -> Response:
    response.headers.extend(current_app.extensions["headers"])
    response.headers.add("X-Request-ID", g.request_id)
    if "referrer_policy" in g:
        response.headers["Referrer-Policy"] = g.referrer_policy
    if is_secret_path():
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
    if request.is_secure:
        response.headers.add("Strict-Transport-Security", HSTS)
    if response.mimetype == "text/html":
        response.headers["Speculation-Rules"] = current_app.extensions["prefetch_rules"]
    response.vary.update(["Accept-Language", "Cookie"])
    return response


def is_secret_path() -> bool:
    """Return whether whoever has the address may read the page (capability URL): a variable of the path is no number.

    No search engine is to list it, and app/redaction.py leaves it out of the logs.
    """
    return any(not isinstance(value, int) for value in (request.view_args or {}).values())


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


def keep(
    response: Response, name: str, value: str, max_age: int = YEAR, httponly: bool = True, path: str = "/"
) -> None:
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(name, value, max_age=max_age, path=path, secure=secure, httponly=httponly, samesite="Lax")
