"""The limit: WSGI without a framework, with one SQL statement a page and a template prepared at the start.

The session is a user's id in a cookie, signed with HMAC.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable
from html import escape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from argon2 import PasswordHasher

from tools.bench.peers.wsgi import api
from tools.bench.peers.wsgi.database import execute

Start = Callable[[str, list[tuple[str, str]]], Any]

KEY = os.environ["SECRET_KEY"].encode()
BEFORE, ROW, AFTER = (Path(os.environ["TEMPLATES"]) / "index.html").read_text().split("<!-- rows -->")
FORM = '<form method="post"><input name="email"><input name="password" type="password"><button>Sign in</button></form>'

PAGE = """
SELECT nickname, page.* FROM users LEFT JOIN LATERAL (
    SELECT id, title, left(content, 200), created_at FROM notes WHERE user_id = users.id AND deleted_at IS NULL
    ORDER BY pinned DESC, created_at DESC, id DESC LIMIT 20
) AS page ON true WHERE users.id = %s
"""
CREATE = "INSERT INTO notes (user_id, title, content) VALUES (%s, %s, %s)"
PASSWORD = "SELECT id, password_hash FROM users WHERE email = %s"  # noqa: S105


def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path == "/sign-in":
        return sign_in(environ, start) if method == "POST" else answer(start, "200 OK", FORM)
    if path == "/api/v1/notes":
        return as_json(start, api.notes(environ.get("HTTP_AUTHORIZATION", "")))
    user_id = signed_in(environ)
    if user_id is None:
        return answer(start, "302 Found", "", ("Location", "/sign-in"))
    if path != "/notes":
        return answer(start, "404 Not Found", "Not found")
    return create(environ, start, user_id) if method == "POST" else index(start, user_id)


def index(start: Start, user_id: int) -> Iterable[bytes]:
    rows = execute(PAGE, user_id)
    written = [
        ROW
        % {
            "id": note_id,
            "title": escape(title),
            "text": escape(text),
            "time": created_at.strftime("%-I:%M %p"),
        }
        for _, note_id, title, text, created_at in rows
        if note_id
    ]
    shown = {"reader": escape(rows[0][0])}
    return answer(start, "200 OK", "".join([BEFORE % shown, *written, AFTER % shown]))


def as_json(start: Start, page: str | None) -> Iterable[bytes]:
    if page is None:
        return answer(start, "401 Unauthorized", "", ("WWW-Authenticate", "Bearer"))
    return answer(start, "200 OK", page, kind="application/json")


def create(environ: dict[str, Any], start: Start, user_id: int) -> Iterable[bytes]:
    form = fields(environ)
    if not form.get("content") or len(form["content"]) > 2000 or len(form.get("title", "")) > 50:
        return answer(start, "422 Unprocessable Content", "A note has 1 to 2000 characters.")
    execute(CREATE, user_id, form.get("title", ""), form["content"])
    return answer(start, "302 Found", "", ("Location", "/notes"))


def sign_in(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    form = fields(environ)
    [(user_id, password_hash)] = execute(PASSWORD, form["email"])
    PasswordHasher().verify(password_hash, form["password"])
    cookie = f"session={user_id}.{signature(str(user_id))}; HttpOnly; Path=/"
    return answer(start, "302 Found", "", ("Location", "/notes"), ("Set-Cookie", cookie))


def signed_in(environ: dict[str, Any]) -> int | None:
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session")
    user_id, _, signed = cookie.value.partition(".") if cookie else ("", "", "")
    return int(user_id) if hmac.compare_digest(signed, signature(user_id)) else None


def signature(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def fields(environ: dict[str, Any]) -> dict[str, str]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def answer(
    start: Start, status: str, text: str, *headers: tuple[str, str], kind: str = "text/html; charset=utf-8"
) -> Iterable[bytes]:
    body = text.encode()
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *headers])
    return [body]
