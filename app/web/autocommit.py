"""The connection of a request: autocommit for reads, and its end.

A GET sends its statements without BEGIN and ROLLBACK, which are a round trip each. So does a POST until it has been let
in. Nothing is lost: at READ COMMITTED each statement sees a snapshot of its own anyway, and a GET writes at most one
row. While the page is rendered, no transaction is open that would keep VACUUM or a pooler waiting.
"""

import logging
import select
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import psycopg2.extensions
from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from app.extensions import db, release_reading_connection
from app.sql_timing import note_commit
from app.web.access import is_signed_in_write

View = TypeVar("View", bound=Callable[..., object])

log = logging.getLogger(__name__)

# Seconds. A connection that was in use so recently is not pinged first, which saves a busy process a round trip per
# request: with 1 ms to the database, the API's list took 1.39 times as long without. HikariCP: aliveBypassWindowMs.
TRUSTED_SECONDS = 0.5


def in_transaction(view: View) -> View:
    """Mark a view whose GET needs a transaction: a server-side cursor, SET LOCAL, or several rows that are written."""
    view.is_in_transaction = True  # type: ignore[attr-defined]
    return view


class PooledConnection(psycopg2.extensions.connection):
    """A connection that knows when it was last in use."""

    reads_only = False  # tells a read in autocommit from the pool's ping, see app/database_timeout.py
    settings = ""  # SQL that its transactions begin with, see app/transaction_settings.py
    used_at = float("-inf")

    def commit(self) -> None:
        began = time.perf_counter()
        try:
            super().commit()
        finally:
            note_commit(time.perf_counter() - began)


def begin(app: Flask) -> None:
    """Call it before what first asks the database."""
    app.before_request(note_whether_it_only_reads)


def note_whether_it_only_reads() -> None:  # for app.extensions.read
    g.only_reads = request.method in ("GET", "HEAD") and only_reads()


def init_app(app: Flask) -> None:
    """Call it after the database's own."""
    with app.app_context():
        event.listen(db.engine, "do_connect", set_factory)
        event.listen(db.engine, "checkout", enter)
        event.listen(db.engine, "checkin", leave)
        dialect: Any = db.engine.dialect
        dialect.do_ping = partial(ping, dialect.do_ping)
    app.teardown_appcontext(end_session)  # the last that was registered runs first


def ping(ask: Callable[[PooledConnection], bool], connection: PooledConnection) -> bool:
    """Return whether the connection still stands, when the pool is about to hand it out."""
    is_fresh = time.monotonic() - connection.used_at < TRUSTED_SECONDS
    return (is_fresh and is_quiet(connection)) or ask(connection)


def is_quiet(connection: PooledConnection) -> bool:
    """Return whether the server has sent nothing: one that ends a session, as for a restart, says so and closes.

    go-sql-driver looks at its sockets in the same way (connCheck).
    """
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def set_factory(dialect: object, record: object, arguments: object, options: dict[str, Any]) -> None:
    options["connection_factory"] = PooledConnection


def enter(connection: PooledConnection, *_record: object) -> None:
    """Set the mode of a connection that is taken. psycopg2 notes it on its own side: this sends nothing."""
    connection.autocommit = connection.reads_only = only_reads()


def leave(connection: PooledConnection | None, record: object) -> None:
    """Reset the mode, since the next user may write. None: the connection was lost."""
    if connection is not None:
        connection.reads_only = False
        connection.used_at = time.monotonic()
        if not connection.closed:
            connection.autocommit = False


def begin_transactions() -> None:
    """Let the request write from its next connection on. Call it after a commit, which gives the last one back."""
    g.writes = True


def only_reads() -> bool:
    if not has_request_context():
        return False
    if not current_app.extensions["boot_gate"].is_open:  # which looks at the schema, in a transaction
        return False
    if request.method not in ("GET", "HEAD"):
        return is_signed_in_write() and not g.get("writes", False)
    view = current_app.view_functions.get(request.endpoint or "")
    return not getattr(view, "is_in_transaction", False)


def end_session(error: BaseException | None) -> None:
    """End the session. A connection that is lost when the answer is made changes nothing for the reader.

    What had to be saved was committed before, and a commit that failed was answered with 503.
    """
    for end in (db.session.remove, release_reading_connection):
        try:
            end()
        except DBAPIError as lost:
            log.warning("the connection was lost behind the answer: %s", lost)
            db.session.registry.clear()  # the pool has dropped the connection already
