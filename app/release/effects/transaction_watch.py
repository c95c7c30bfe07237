"""Transaction watch: sees every statement and every COMMIT of a connection, and has each transaction judged.

It listens to the connection's events. So it does not matter who sends a statement and who commits: Alembic, an
operation, a DO block or a function. A statement in an autocommit block gets a transaction of its own for it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, event, text

from app.release.effects import statements
from app.release.effects.effect import Effect
from app.release.effects.held import read_held
from app.release.effects.origin import origin
from app.release.effects.record import Record, Transaction, effects_of_transaction
from app.release.effects.snapshot import Snapshot, read_snapshot
from app.release.errors import UnsafeOperation
from app.release.watched_connection import driver_connection, execute_raw, is_autocommit

EVENTS = ("before_cursor_execute", "after_cursor_execute")
MOST_RECORDS = 100  # statements whose rows and locks are looked at one by one; later writes are told at COMMIT
_FIRE_DEFERRED_TRIGGERS = text("SET CONSTRAINTS ALL IMMEDIATE")  # they would else run after we have looked


class TransactionWatch:
    """
    Args:
        module: the revision's, whose lines are named.
        judge: is given effects, each with its line; raises to refuse.
    """

    def __init__(
        self, connection: Connection, module: ModuleType, judge: Callable[[Iterable[tuple[Effect, int | None]]], None]
    ) -> None:
        self._connection = connection
        self._module = module
        self._judge = judge
        self._excuse: str | None = None
        self._excused_statements = 0
        self._is_paused = False
        self.commits_early = False  # whether a statement of the revision was committed before its end
        self._begin(read_snapshot(connection))
        self._lock_timeout = read_held(connection).lock_timeout
        connection.rollback()
        for name in EVENTS:
            event.listen(connection, name, getattr(self, f"_{name}"))
        event.listen(connection.engine, "handle_error", self._handle_error)
        event.listen(connection.engine, "do_connect", self._do_connect)
        driver_connection(connection).before_commit = self._judge_transaction

    def close(self) -> None:
        for name in EVENTS:
            event.remove(self._connection, name, getattr(self, f"_{name}"))
        event.remove(self._connection.engine, "handle_error", self._handle_error)
        event.remove(self._connection.engine, "do_connect", self._do_connect)
        if not self._connection.invalidated:
            driver_connection(self._connection).before_commit = None

    def transaction(self, after: Snapshot | None = None) -> Transaction:
        """The transaction so far."""
        return Transaction(self._before, after or self._before, self._records, self._written or {})

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Look away while one of app.release.operations runs, which commits by itself.

        One that fails may leave something that it takes back next, such as an INVALID index.
        """
        with self.looking_away():
            try:
                yield
            finally:
                if not self._connection.invalidated:
                    self._begin(read_snapshot(self._connection))

    @contextmanager
    def excusing(self, reason: str) -> Iterator[None]:
        self._excuse, self._excused_statements = reason, 0
        try:
            yield
        finally:
            self._excuse = None

    @property
    def is_excusing(self) -> bool:
        return self._excuse is not None

    def line(self) -> int | None:
        """The line of the revision's file that is running; None when no line of it is."""
        return origin(self._module).line

    def _looks_away(self) -> bool:
        """Whether it looks at the catalog itself, or one of our operations runs: those are judged beforehand."""
        return self._is_paused or origin(self._module).is_operation

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        was_paused, self._is_paused = self._is_paused, True
        try:
            yield
        finally:
            self._is_paused = was_paused

    def _begin(self, catalog: Snapshot) -> None:
        self._before = catalog
        self._records: list[Record] = []
        self._written: dict[int, int] | None = None

    def _before_cursor_execute(self, connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if self._looks_away():
            return
        self._sent_at = time.monotonic()
        self._judge_unless_excused(statements.effects_of_text(sql, self._before if is_autocommit(connection) else None))
        if self._excuse is not None:
            self._count_excused(sql)
        if is_autocommit(connection) and not statements.runs_outside_transaction(sql):
            execute_raw(connection, "BEGIN")
        if self._written is None:
            with self.looking_away():
                self._written = dict(read_held(connection).rows)

    def _after_cursor_execute(self, connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if self._looks_away():
            return
        line = self.line()  # None: Alembic's own
        may_change_catalog = line is not None and statements.may_change_catalog(sql)
        if len(self._records) >= MOST_RECORDS and not (may_change_catalog or self._excuse or is_autocommit(connection)):
            return
        with self.looking_away():
            catalog = read_snapshot(connection) if may_change_catalog else None
            held = read_held(connection)
        self._records.append(Record(line, self._excuse, catalog, held, self._sent_at))
        if held.lock_timeout != self._lock_timeout:  # at once: the next statement would wait with it
            self._judge_unless_excused([Effect("changes-lock-timeout", f"lock_timeout = {held.lock_timeout}")])
            self._lock_timeout = held.lock_timeout
        if is_autocommit(connection):
            self._end_statement(connection, sql)

    def _end_statement(self, connection: Connection, sql: str) -> None:
        """The end of a statement in an autocommit block: judge it, then commit it."""
        if statements.runs_outside_transaction(sql):
            with self.looking_away():
                self._begin(read_snapshot(connection))
            self._judge_unless_excused(statements.invalid_index(sql, self._before))
            self.commits_early = True
            return
        try:
            self._judge_transaction()
        except UnsafeOperation:
            execute_raw(connection, "ROLLBACK")
            raise
        execute_raw(connection, "COMMIT")

    def _handle_error(self, context: Any) -> None:
        is_ours = context.connection is self._connection
        if is_ours and not self._looks_away() and is_autocommit(self._connection):
            execute_raw(self._connection, "ROLLBACK")

    def _do_connect(self, *_: Any) -> None:
        """A revision that opens another connection. The one that watches who blocks is opened in another thread."""
        if not self._is_paused and self.line() is not None:
            self._judge_unless_excused([Effect("opens-connection", "a connection of its own")])

    def _judge_transaction(self) -> None:
        """Compare the catalog with the one before the transaction; called before it commits."""
        if self._is_paused:
            return
        with self.looking_away():
            self._connection.execute(_FIRE_DEFERRED_TRIGGERS)
            after, held = read_snapshot(self._connection), read_held(self._connection)
        if self._records:  # else the counters hold the rows of an operation before
            self._records.append(Record(None, None, None, held, time.monotonic()))
        effects = effects_of_transaction(self.transaction(after))
        self._judge(
            (effect, record.line if record else None)
            for effect, record in effects
            if record is None or record.excuse is None
        )
        self.commits_early = self.commits_early or (len(self._records) > 1 and self.line() is not None)
        self._begin(after)

    def _judge_unless_excused(self, effects: Iterable[Effect]) -> None:
        if self._excuse is None:
            self._judge((effect, self.line()) for effect in effects)

    def _count_excused(self, sql: str) -> None:
        self._excused_statements += len(statements.pieces(sql))
        if self._excused_statements > 1:
            raise UnsafeOperation("excused() is for one statement; give each its own, with its own reason.")
