"""Device cookies: recognize a browser that has signed in before, so that guesses of others do not lock it out.

After OWASP's "Slow Down Online Guessing Attacks with Device Cookies". The cookie is a nonce and its signature, an HMAC
over the account's id and its password hash. So it tells a stranger nothing, holds for one account, and a change of the
password ends it. It proves no identity: all it gives is a rate limit of its own.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from flask import after_this_request, current_app, request
from sqlalchemy import bindparam, select
from werkzeug.wrappers import Response

from app.accounts.models import User
from app.extensions import db

COOKIE = "device"
LIFETIME = timedelta(days=365)
PATH = "/sign-in"  # no other page needs it

_SIGNED = select(User.id, User.password_hash).where(User.email == bindparam("email"))


def remember(user: User) -> None:
    """Send this browser a device cookie with the answer to this request."""
    nonce = secrets.token_hex(16)
    value = f"{nonce}.{_signature(nonce, user.id, user.password_hash)}"

    @after_this_request
    def set_cookie(response: Response) -> Response:
        secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
        options = {"max_age": LIFETIME, "path": PATH, "secure": secure, "httponly": True, "samesite": "Lax"}
        response.set_cookie(COOKIE, value, **options)  # type: ignore[arg-type]
        return response


def known_device(email: str) -> str | None:
    """The nonce of this browser's device cookie, if the cookie is one for the account with this email address."""
    nonce, _, signature = request.cookies.get(COOKIE, "").partition(".")
    if not signature:
        return None
    # The same work whether there is such an account or not: the timing must not reveal it (user enumeration).
    user = db.session.execute(_SIGNED, {"email": email}).one_or_none()
    expected = _signature(nonce, *(user or (0, "")))
    return nonce if hmac.compare_digest(signature.encode(), expected.encode()) and user else None


def _signature(nonce: str, user_id: int, password_hash: str) -> str:
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, f"device cookie {nonce} {user_id} {password_hash}".encode(), hashlib.sha256).hexdigest()
