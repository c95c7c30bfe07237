"""Follower (read replica, hot standby): reads of a signed-in person's own pages that leave the primary alone.

Without FOLLOWER_DATABASE_URL nothing of this is there. docs/scaling.md says when it is worth having one.

- A view says `@from_follower` that its page may come from there. All other reads, and whatever decides who somebody is
  or what they may do, are the primary's.
- Read-your-writes, of an account and not of a device: the row of `account_writes` names the transaction that wrote last
  for it (writes.py). A page comes from the follower only when that has replayed it. So no device and no job of the
  account has written what the page does not show.
- Each process looks at both servers once a second at most, beside the requests, and leaves the follower out when it
  lags, was promoted, has another schema, or while a release migrates.
- What fails there is read again from the primary. A follower never costs a reader an error.
"""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from app.extensions import db
from app.follower import writes
from app.follower.follower import Follower, close_connection
from app.sql_timing import time_statements
from app.web import autocommit

View = TypeVar("View", bound=Callable[..., object])


def init_app(app: Flask) -> None:
    """Have the follower answer what it may. Call it after the sign-in's and the database's own."""
    if not app.config["FOLLOWER_DATABASE_URI"]:
        return
    engine = create_engine(app.config["FOLLOWER_DATABASE_URI"], **app.config["FOLLOWER_ENGINE_OPTIONS"])
    event.listen(engine, "do_connect", autocommit.set_factory)
    time_statements(engine, app.config["LOG_SLOW_MS"])  # what is read here counts in the log as well
    app.extensions[writes.FOLLOWER] = Follower(engine)
    app.before_request(choose)
    app.teardown_appcontext(close_connection)
    if not event.contains(db.session, "before_commit", mark_request):  # once for all applications of a process
        event.listen(db.session, "before_commit", mark_request)


def from_follower(view: View) -> View:
    """Mark a view whose page may come from a follower: it shows a signed-in person their own rows, and decides nothing.

    Not for what somebody else may change at any moment: a link that was shared, a session, a passkey.
    """
    view.is_from_follower = True  # type: ignore[attr-defined]
    return view


def choose() -> None:
    """Set what app.extensions.read uses. The session came from the primary, with the account's last write."""
    account = g.get("account")
    if account is None or not g.only_reads or request.endpoint is None:
        return
    view = current_app.view_functions[request.endpoint]
    follower: Follower = current_app.extensions[writes.FOLLOWER]
    if getattr(view, "is_from_follower", False) and follower.serves(account.last_write):
        g.read_elsewhere = follower.read


def mark_request(session: Session) -> None:
    """Note, before each commit of a signed-in person's request, that it writes for their account."""
    if not has_request_context() or request.method in ("GET", "HEAD") or autocommit.only_reads():
        return
    account = g.get("account")
    if account is not None:
        writes.mark(account.id)
