"""Access control, closed by default: without a session a request goes to sign-in, unless its view is marked public.

Who has not been let in, and who only reads, needs no transaction (autocommit): a GET, and a POST until then, sends its
statements without BEGIN and ROLLBACK, which are a round trip each. Nothing is lost: at READ COMMITTED each statement
sees a snapshot of its own anyway, and a GET writes at most one row. While the page is rendered, no transaction is open
that would keep VACUUM or a pooler waiting.

What a URL asks for is read here too, and refused if no page of ours leads there.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.keyset import Cursor
from app.web import form_recovery
from app.web.marks import mark_of, marking

T = TypeVar("T")

# Against open redirects. One slash, then printable ASCII without the backslash: //evil and /\evil lead to other sites.
LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")

public = marking(is_public=True)  # a view that answers without a session
# A view whose GET needs a transaction: a server-side cursor, SET LOCAL, or several rows that are written.
in_transaction = marking(is_in_transaction=True)


def needs_session(endpoint: str) -> bool:
    """Return whether only who has a session gets an answer. A view with a scope asks for an access token instead."""
    return not (mark_of(endpoint, "is_public") or mark_of(endpoint, "scope"))


def is_signed_in_write() -> bool:
    """Return whether the request is a POST that nobody may send without a session."""
    return request.method == "POST" and request.endpoint is not None and needs_session(request.endpoint)


def init_app(app: Flask) -> None:
    """Call it before what first asks the database, but for the boot gate: that looks at the schema in a transaction."""
    app.before_request(choose_autocommit)
    app.before_request(require_session)


def choose_autocommit() -> None:
    """Note how the request uses the database, for app/extensions.py and app/database/engine.py."""
    g.in_autocommit = False
    if not current_app.extensions["boot_gate"].is_open:
        return
    if request.method in ("GET", "HEAD"):
        g.in_autocommit = not mark_of(request.endpoint, "is_in_transaction")
    else:
        g.in_autocommit = is_signed_in_write()


def require_session() -> Response | None:
    if request.endpoint is None or not needs_session(request.endpoint) or current_user.is_authenticated:
        return None  # without an endpoint it is a 404 or 405, for everybody
    return to_sign_in()


def to_sign_in() -> Response:
    """Send a stranger to sign-in and back. Public views use it too, for what only its owner may see."""
    if form_recovery.posted_form():  # 307: the browser posts the form again, to the sign-in page that carries it
        return redirect(url_for("accounts.sign_in_again", next=request.full_path.rstrip("?")), 307)
    if request.method != "GET":
        return redirect(url_for("accounts.sign_in"))
    return redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")))


def local_path(target: str | None, default: str) -> str:
    """Return `target` if it is a path of this site, else `default` (no open redirect)."""
    return target if target and LOCAL_PATH.fullmatch(target) else default


def requested(name: str, parse: Callable[[str], T]) -> T | None:
    """Return a parameter of the URL as `parse` reads it, None without it; 400 when it raises ValueError."""
    text = request.args.get(name)
    try:
        return None if text is None else parse(text)
    except ValueError:
        abort(400)


def requested_cursor(bounds: Sequence[range]) -> Cursor:
    """Return the place of `?before=` in a list whose sort key has these bounds; without it, the list's beginning."""
    return requested("before", partial(Cursor.parse, bounds=bounds)) or Cursor.start(bounds)
