"""Count and time the statements of a request or job, and log a slow one, without its values (slow query log)."""

import logging
from time import perf_counter
from typing import Any

from flask import Flask
from psycopg2.extensions import connection
from sqlalchemy import Engine, event

from app import tracing
from app.extensions import db
from app.transaction_settings import SettingCursor

log = logging.getLogger(__name__)


class TimedCursor(SettingCursor):
    """It measures below SQLAlchemy, so that nothing is left out, and costs a microsecond. Not timed: what a server-side
    cursor fetches later. The settings of a transaction are sent with its first statement, and are no part of its text.
    """

    def execute(self, query: Any, vars: Any = None) -> None:
        began = perf_counter()
        try:
            super().execute(query, vars)
        finally:
            self._note(query, perf_counter() - began)

    def executemany(self, query: Any, vars_list: Any) -> None:
        began = perf_counter()
        try:
            super().executemany(query, vars_list)
        finally:
            self._note(query, perf_counter() - began)

    def _note(self, query: Any, seconds: float) -> None:
        span = tracing.current()
        if span:
            span.statements += 1
            span.sql_seconds += seconds
        if seconds >= getattr(self.connection, "slow_seconds", float("inf")):
            log_slow(str(query), seconds, self.rowcount, span)


def note_commit(seconds: float) -> None:
    if span := tracing.current():
        span.sql_seconds += seconds


def log_slow(statement: str, seconds: float, rows: int, span: tracing.Span | None) -> None:
    """Log it; `rows` is -1 where the statement failed."""
    fields = {
        "at": "slow_statement",
        "ms": round(seconds * 1000),
        "rows": rows,
        "route": span and span.name,
        "sql": " ".join(statement.split()),
    }
    log.warning("", extra={"fields": fields})


def init_app(app: Flask) -> None:
    """Call it after app.transaction_settings: the last class of cursors is the one that is used."""
    with app.app_context():
        time_statements(db.engine, app.config["LOG_SLOW_MS"])


def time_statements(engine: Engine, slow_ms: int) -> None:
    """Count and time what is sent through an engine of PooledConnection, and log what takes `slow_ms` milliseconds."""

    def time_cursors(dialect: object, record: object, arguments: object, options: dict[str, Any]) -> None:
        options["cursor_factory"] = TimedCursor

    def set_threshold(made: connection, record: object) -> None:
        made.slow_seconds = slow_ms / 1000  # type: ignore[attr-defined]  # of our own class

    event.listen(engine, "do_connect", time_cursors)
    event.listen(engine, "connect", set_threshold)
