"""One-time form tokens: a form that is sent twice is stored once.

Two clicks, Back and Save again, a request that is sent again since its answer was lost: the token is the same. Together
with what was typed it makes an idempotency key, and the service stores each key once. Text that was changed since is
another request, and is stored.

A page without scripts has a token from the server. js/outbox.js makes one for each form that it sends.
"""

import hashlib
import re
import secrets
import uuid

from flask import Flask, request
from werkzeug.exceptions import UnprocessableEntity

from app.limits.idempotency import Key

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")


def init_app(app: Flask) -> None:
    app.jinja_env.globals["new_form_token"] = new_form_token


def new_form_token() -> str:
    return secrets.token_urlsafe(12)  # 96 bits, of one person


def idempotency_key() -> Key | None:
    """The key of this request, made of its token, path and texts; None without a token: it is always stored.

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
