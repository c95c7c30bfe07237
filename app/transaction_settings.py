"""SET LOCAL with the first statement of each transaction, in one message: timeouts, and what a request adds.

A connection pooler in transaction mode refuses the startup parameter `options`, and a SET of the session would hold for
whoever comes next. SET LOCAL ends with the transaction. It costs no round trip, because a message of the simple query
protocol may hold several statements; psycopg2 keeps the last one's rows. In autocommit each message is a transaction of
its own, so each one begins with the settings. What is tested without a pooler holds behind one.
Sources: PostgreSQL manual, "SET" and "Multiple Statements in a Simple Query"; PgBouncer, "features".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from flask import Flask
from psycopg2.extensions import STATUS_READY, cursor
from sqlalchemy import event

from app.extensions import db

# Gives {setting: value} for the request or job that takes a connection. It is asked at each checkout from the pool, so
# once for a request that reads, and once for each transaction of another one.
Source = Callable[[], Mapping[str, str]]

# A statement that takes longer is cancelled; an open transaction that is idle for longer is ended, with its session.
TIMEOUTS = {"statement_timeout": "20s", "idle_in_transaction_session_timeout": "20s"}

# Needs no quoting, neither for SQL nor for the driver, to which a % is a parameter.
USABLE = re.compile(r"[A-Za-z0-9 _.:/@+-]{1,63}")


def init_app(app: Flask) -> None:
    """Call it after the database's own. Connections are PooledConnection of app/web/autocommit.py."""
    sources: list[Source] = []
    app.extensions["transaction_settings"] = sources
    with app.app_context():
        event.listen(db.engine, "checkout", partial(_enter, sources))
        event.listen(db.engine, "checkin", _leave)


def add_source(app: Flask, source: Source) -> None:
    """Have every transaction begin with the settings that `source` gives, such as {"application_name": "web 4711"}.

    Any setting that a role may SET, also one of TIMEOUTS, in place of ours. Of several sources the last one wins.
    """
    sources: list[Source] = app.extensions["transaction_settings"]
    sources.append(source)


def as_sql(sources: Iterable[Source]) -> str:
    """Return the settings of now, to be sent before a statement. Raises: ValueError where a value is not USABLE.

    What a request gives is a value of set_config(): pg_stat_statements counts all SELECTs that differ in a constant as
    one, and would take each SET for another.
    """
    given: dict[str, str] = {}
    for source in sources:
        given.update(source())
    if not given:
        return _TIMEOUTS_ALONE
    for name, value in given.items():
        if not USABLE.fullmatch(value):
            raise ValueError(f"{name} has to be 1 to 63 letters, digits, spaces and _ . : / @ + -")
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in given.items())
    return f"{_TIMEOUTS_ALONE}SELECT {calls};\n"


_TIMEOUTS_ALONE = "".join(f"SET LOCAL {name} = '{value}'; " for name, value in TIMEOUTS.items())


class SettingCursor(cursor):
    """psycopg2's cursor. Before the first statement of a transaction it sends the settings of its connection."""

    connection: Any  # a PooledConnection

    def execute(self, query: Any, vars: Any = None) -> None:
        if self._begins_transaction():
            if isinstance(query, str) and self.name is None:
                query = f"{self.connection.settings}{query}"
            else:
                self._send_settings()
        super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        if self._begins_transaction():
            self._send_settings()
        super().executemany(query, vars_list)

    def _begins_transaction(self) -> bool:
        """Leave out the pool's ping, and SQLAlchemy's AUTOCOMMIT, which is for what runs in no transaction (VACUUM)."""
        ours = self.connection
        return ours.status == STATUS_READY and ours.settings and (ours.reads_only or not ours.autocommit)

    def _send_settings(self) -> None:
        """Send them apart: the driver wraps the query of a server-side cursor, and repeats one of many rows."""
        with self.connection.cursor(cursor_factory=cursor) as plain:
            plain.execute(self.connection.settings)


def _enter(sources: list[Source], connection: Any, *_record: object) -> None:
    connection.settings = as_sql(sources)


def _leave(connection: Any, record: object) -> None:
    if connection is not None:  # it was not lost
        connection.settings = ""
