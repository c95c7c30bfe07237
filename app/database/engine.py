"""The engine of what serves: who takes a connection of its pool, how, and when it goes back."""

import logging
import select
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Flask, g, has_app_context
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from app import tracing
from app.database.connection import Connection as Taken
from app.extensions import db, release_reading_connection

log = logging.getLogger(__name__)

# Seconds. A connection that was in use so recently is not pinged first, which saves a busy process a round trip per
# request: with 1 ms to the database, the API's list took 1.39 times as long without. HikariCP: aliveBypassWindowMs.
TRUSTED_SECONDS = 0.5


def init_app(app: Flask) -> None:
    """Call it after the database's own."""
    with app.app_context():
        use_connections(db.engine, app.config)
        event.listen(db.engine, "begin", note_whether_it_begins)
        dialect: Any = db.engine.dialect
        dialect.do_begin, dialect.do_ping = begin, partial(ping, dialect.do_ping)
    app.teardown_appcontext(end_session)  # the last that was registered runs first


def use_connections(engine: Engine, config: Mapping[str, Any]) -> None:
    """Have an engine open connections of ours, which log what takes longer than LOG_SLOW_MS."""

    def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Taken:
        made = Taken.establish(*arguments, pooler_prepares=config["DATABASE_POOLER_PREPARES"], **options)
        made.slow_seconds = config["LOG_SLOW_MS"] / 1000
        return made

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkout", take)
    event.listen(engine, "checkin", give_back)


def take(connection: Taken, *_record: object) -> None:
    connection.name = tracing.session_name() or connection.base_name
    connection.reads_only = has_app_context() and g.get("in_autocommit", False)  # app/web/access.py says so


def give_back(connection: Taken | None, record: ConnectionPoolEntry) -> None:
    """Reset the mode, since the next user may write. None: the connection was lost."""
    if connection is None:
        return
    connection.reads_only, connection.used_at = False, time.monotonic()
    if connection.is_outdated:
        record.invalidate(soft=True)  # when it is next asked for


def note_whether_it_begins(connection: Connection) -> None:
    """Note it before `begin`, which is not told. AUTOCOMMIT is for what runs in no transaction, such as VACUUM."""
    taken: Any = connection.connection.driver_connection
    is_alone = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"
    taken.begins = not (taken.reads_only or is_alone)


def begin(connection: Taken) -> None:
    """Send BEGIN, which psycopg would send alone. SQLAlchemy handles what it raises, as of any other statement."""
    if connection.begins:
        connection.begin()


def ping(ask: Callable[[Taken], bool], connection: Taken) -> bool:
    """Return whether the connection still stands, when the pool is about to hand it out."""
    if time.monotonic() - connection.used_at < TRUSTED_SECONDS and is_quiet(connection):
        return True
    connection.is_pinged = True
    try:
        return ask(connection)
    finally:
        connection.is_pinged = False


def is_quiet(connection: Taken) -> bool:
    """Return whether the server has sent nothing: one that ends a session, as for a restart, says so and closes."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


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
