"""The connections of what serves: psycopg's, which prepares the statements that it sends often.

Each one is in autocommit until `begin`, names its session after the request that has taken it, gives up a server that
hangs, and counts and times its statements. Behind a connection pooler in transaction mode each statement may meet
another session of the server, so there its settings travel with it, in one round trip (pipeline mode).
Sources: PostgreSQL manual, "Pipeline Mode" and "SET"; PgBouncer, "features"; psycopg, "Prepared statements".
"""

import logging
from collections.abc import Callable, Generator
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Self, TypeVar

import psycopg
from psycopg.errors import FeatureNotSupported
from psycopg.pq import TransactionStatus
from psycopg.sql import quote
from psycopg.types.numeric import Int8Dumper

from app import tracing
from app.database import patience
from app.database.statements import UNPREPARED

T = TypeVar("T")
Execute = Callable[..., Any]

log = logging.getLogger(__name__)

# A statement that takes longer is cancelled; an open transaction that is idle for longer is ended, with its session.
# psycopg reads times and intervals of these styles, whatever the role has.
SETTINGS = {
    "statement_timeout": "20s",
    "idle_in_transaction_session_timeout": "20s",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
}

_KEEP = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in SETTINGS.items())
_LOCAL = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
_NAME = "SELECT set_config('application_name', %s, false)"
_NAME_LOCAL = f"SELECT {_LOCAL}, set_config('application_name', %s, true)"


class Cursor(psycopg.Cursor[Any]):
    """Measure below SQLAlchemy, so that nothing is left out. Not timed: what a server-side cursor sends and fetches.

    `Connection.send` decides what is prepared, whatever SQLAlchemy or a caller says.
    """

    def __init__(self, connection: "Connection", **options: Any) -> None:
        super().__init__(connection, **options)
        self._sender = connection

    def execute(self, query: Any, params: Any = None, **_: Any) -> Self:
        began = perf_counter()
        try:
            self._sender.send(super().execute, query, params)
        finally:
            self._note(query, perf_counter() - began)
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        began = perf_counter()
        try:
            super().executemany(query, params_seq, **options)
        finally:
            self._note(query, perf_counter() - began)

    def _note(self, query: Any, seconds: float) -> None:
        span = tracing.current()
        if span:
            span.statements += 1
            span.sql_seconds += seconds
        if seconds >= self._sender.slow_seconds:
            fields = {
                "at": "slow_statement",
                "ms": round(seconds * 1000),
                "rows": self.rowcount,  # -1 where it failed
                "route": span and span.name,
                "sql": " ".join(str(query).split()),
            }
            log.warning("", extra={"fields": fields})


class Connection(psycopg.Connection[Any]):
    is_direct = True  # no connection pooler in between
    is_pinged = False
    is_outdated = False  # it holds plans that the server refuses, so the pool shall replace it
    reads_only = False  # whoever has taken it begins no transaction
    begins = False  # what SQLAlchemy begins is a transaction of the server's
    base_name = name = ""  # of its session: as it was opened, and of who has taken it
    slow_seconds = float("inf")
    used_at = float("-inf")  # on the clock of time.monotonic()
    _server: tuple[Any, ...] = ()
    _session_name = ""
    _sent = 0  # statements of this transaction

    @classmethod
    def establish(cls, conninfo: str = "", *, pooler_prepares: bool, **options: Any) -> Self:
        """Connect, and see if a pooler is in between, which announces an id of its own. Raises: OperationalError."""
        server = (conninfo, options.get("host"), options.get("port"))
        with patience.connecting(server):
            made = cls.connect(conninfo, autocommit=True, cursor_factory=Cursor, **options)
            made._server = server
            made.base_name = made.name = made._session_name = options.get("application_name", "")
            made.prepared_max = 300  # more than the statements of the pages and the API
            made.adapters.register_dumper(int, Int8Dumper)  # one prepared statement for ids of any size
            found = f"SELECT CASE WHEN pg_backend_pid() = {made.info.backend_pid} THEN concat({_KEEP}) END"
            [(kept,)] = psycopg.Cursor(made).execute(found, prepare=False)
        made.is_direct = kept is not None
        if not made.is_direct and not pooler_prepares:
            made.prepare_threshold = None  # the server's next session would not know the statement
        return made

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = patience.LOOK_EVERY, timeout: float | None = None
    ) -> T:
        """Wait for the server, and look now and then whether it is there. Raises: DatabaseTimeout; it is closed."""
        return super().wait(self._watched(gen), interval, timeout)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        longest = patience.PING_SECONDS if self.is_pinged else patience.PATIENCE_SECONDS
        began = asked = monotonic()
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and (now := monotonic()) - asked >= longest:
                    asked = now
                    is_late = self.is_pinged or now - began >= patience.STATEMENT_SECONDS
                    if is_late or not patience.is_alive(self.pgconn.socket):
                        self.close()
                        patience.breakers[self._server].trip()
                        raise patience.DatabaseTimeout("the database does not answer")
                state = gen.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer

    def begin(self) -> None:
        """Begin a transaction with its settings, in one message of the simple query protocol."""
        calls = [] if self.is_direct else [_LOCAL]
        if self.name != self._session_name:
            calls.append(f"set_config('application_name', {quote(self.name)}, true)")
        psycopg.Cursor(self).execute(f"BEGIN; SELECT {', '.join(calls)}" if calls else "BEGIN", prepare=False)
        self._sent = 0

    def commit(self) -> None:
        began = perf_counter()
        try:
            super().commit()
        finally:
            if span := tracing.current():
                span.sql_seconds += perf_counter() - began

    def rollback(self) -> None:
        """Roll back, and keep what is prepared, as the server does; psycopg would forget it."""
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            return
        threshold, self.prepare_threshold = self.prepare_threshold, None
        try:
            psycopg.Cursor(self).execute("ROLLBACK")
        finally:
            self.prepare_threshold = threshold

    def send(self, execute: Execute, query: Any, params: Any) -> None:
        """Send a statement of a cursor. One whose prepared plan has come to return other columns is sent once more.

        PostgreSQL refuses such a plan after a change of the schema (0A000). In a transaction that can be mended behind
        the first statement alone, so a later one that returns rows is not prepared.
        """
        is_alone = self.pgconn.transaction_status == TransactionStatus.IDLE
        statement = str(query)
        if UNPREPARED in statement:
            execute = partial(execute, prepare=False)
        if params and "session_name" in params:
            params = {**params, "session_name": self.name, "name_is_local": not (is_alone and self.is_direct)}
        if is_alone:
            try:
                self._send_alone(execute, query, params)
            except FeatureNotSupported:
                self._send_alone(partial(execute, prepare=False), query, params)
                self.is_outdated = True
            return
        self._sent += 1
        if self._sent > 1:
            has_rows = statement.lstrip().startswith(("SELECT", "WITH")) or "RETURNING" in statement
            execute(query, params, prepare=False if has_rows else None)
            return
        try:
            execute(query, params)
        except FeatureNotSupported:
            self.rollback()
            self.begin()
            execute(query, params, prepare=False)
            self.is_outdated = True

    def _send_alone(self, execute: Execute, query: Any, params: Any) -> None:
        """Send a statement that is its own transaction. A read brings the settings along that its session lacks."""
        if not self.reads_only or (self.is_direct and self.name == self._session_name):
            execute(query, params)
            return
        if self.is_direct and params and "session_name" in params:
            is_named = execute(query, params).rowcount > 0
        else:
            with self.pipeline():
                psycopg.Cursor(self).execute(_NAME if self.is_direct else _NAME_LOCAL, (self.name,))
                execute(query, params)
            is_named = self.is_direct
        if is_named:
            self._session_name = self.name
