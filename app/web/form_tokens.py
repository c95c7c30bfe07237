"""Forms: only a page of ours may send one (CSRF), and one that is sent twice is stored once (one-time form tokens).

Flask-WTF makes and checks the CSRF tokens. Over TLS a form needs an origin of ours, too.

Two clicks, Back and Save again, a request that is sent again since its answer was lost: the one-time token is the same.
With what was typed it makes an idempotency key, and the service stores each key once. js/outbox.js makes a token for
each form that it sends; a page without scripts has one from the server.
"""

import hashlib
import re
import secrets
import uuid

from flask import Flask, g, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import UnprocessableEntity

from app.limits.quotas import Key
from app.web.proxy import own_origin

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


def init_app(app: Flask) -> None:
    """Call it after CSRF protection, whose tokens are checked first."""
    app.jinja_env.globals["new_form_token"] = new_form_token
    app.before_request(refuse_foreign_pages)


def refuse_foreign_pages() -> None:
    """Refuse a form whose token is right, and which no page of ours has sent. Over http browsers may not tell."""
    if g.get("csrf_valid") and request.is_secure and not is_from_here():  # Flask-WTF notes it of what it protects
        raise CSRFError("The form does not come from a page of this site.")


def is_from_here() -> bool:
    """Return whether a page of ours sent this: Origin and Referer are ours, where the browser sends them.

    Who sends no Referer (a policy of no-referrer, an extension, a proxy) often sends `Origin: null` with forms (Fetch
    standard, "append a request Origin header"), as a sandboxed frame of a foreign page does. Then Sec-Fetch-Site
    decides. Scripts of a page can set none of the three.
    """
    here = own_origin()
    origin, referer = request.headers.get("Origin"), request.headers.get("Referer")
    if origin in (None, "null") and not referer:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    is_own_origin = origin in (None, "null", here)
    return is_own_origin and (not referer or f"{referer}/".startswith(f"{here}/"))


def new_form_token() -> str:
    return secrets.token_urlsafe(12)  # 96 bits, of one person


def idempotency_key() -> Key | None:
    """Return the key of this request, made of its token, path and texts; None without a token: it is always stored.

    Raises:
        UnprocessableEntity: what stands in the place of the token is none.
    """
    token = request.form.get("form_token")
    if not token:
        return None
    if not TOKEN.fullmatch(token):
        raise UnprocessableEntity
    sent = [(name, text) for name, text in sorted(request.form.items(multi=True)) if name != "csrf_token"]
    return Key(uuid.UUID(bytes=hashlib.sha256(repr((request.path, sent)).encode()).digest()[:16]))
