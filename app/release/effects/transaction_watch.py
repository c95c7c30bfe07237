"""Transaction watch: sees every statement and every COMMIT of a connection, and has each transaction judged.

It listens to the connection's events. So it does not matter who sends a statement and who commits: Alembic, an
operation, a DO block or a function. A statement in an autocommit block gets a transaction of its own for it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, event, text

from app.release.effects import statements
from app.release.effects.effect import Effect
from app.release.effects.excuse import Excuse
from app.release.effects.held import Held, read_held
from app.release.effects.origin import origin
from app.release.effects.other_connections import CURSOR
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
        catalog: as it is now.
    """

    def __init__(
        self,
        connection: Connection,
        module: ModuleType,
        judge: Callable[[Iterable[tuple[Effect, int | None]]], None],
        catalog: Snapshot,
    ) -> None:
        self._connection = connection
        self._module = module
        self._judge = judge
        self._excuse = Excuse()
        self._is_paused = False
        self.commits_early = False  # whether a statement of the revision was committed before its end
        self.transaction = Transaction(catalog)
        for name in EVENTS:
            event.listen(connection, name, getattr(self, f"_{name}"))
        event.listen(connection.engine, "handle_error", self._handle_error)
        driver_connection(connection).before_commit = self._judge_transaction
        driver_connection(connection).on_statement = partial(self._judge_driver, Effect("opens-connection", CURSOR))
        driver_connection(connection).on_rollback = partial(self._judge_driver, Effect("rolls-back", "rollback()"))

    def close(self) -> None:
        for name in EVENTS:
            event.remove(self._connection, name, getattr(self, f"_{name}"))
        event.remove(self._connection.engine, "handle_error", self._handle_error)
        if not self._connection.invalidated:
            driver = driver_connection(self._connection)
            driver.before_commit = driver.on_statement = driver.on_rollback = None

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
                    self.transaction = Transaction(read_snapshot(self._connection))

    @contextmanager
    def excusing(self, reason: str) -> Iterator[None]:
        # What was done before, by a function that an INSERT called, is not to be taken for the next statement's.
        if records := self.transaction.records:
            catalog, held = self._read_all()
            self.transaction.see_last(catalog)
            records.append(Record(records[-1].line, None, catalog, held, time.monotonic()))
        with self._excuse.block(reason):
            yield

    def _read_all(self) -> tuple[Snapshot, Held]:
        with self.looking_away():
            return read_snapshot(self._connection), read_held(self._connection)

    @property
    def is_excusing(self) -> bool:
        return self._excuse.reason is not None

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

    def _before_cursor_execute(self, connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if self._looks_away():
            return
        if self.line() is not None and self.transaction.unseen is not None:
            self.transaction.see_last(self._read_all()[0])
        self._sent_at = time.monotonic()
        before = self.transaction.before if is_autocommit(connection) else None
        self._judge_unless_excused(statements.effects_of_text(sql, before))
        self._excuse.count(sql)
        if is_autocommit(connection) and not statements.runs_outside_transaction(sql):
            execute_raw(connection, "BEGIN")
        if self.transaction.written_before is None:
            with self.looking_away():
                held = read_held(connection)
            self.transaction.written_before, self._lock_timeout = held.rows, held.lock_timeout

    def _after_cursor_execute(self, connection: Connection, cursor: Any, sql: str, *_: Any) -> None:
        if self._looks_away():
            return
        line = self.line()  # None: Alembic's own
        may_change_catalog = line is not None and statements.may_change_catalog(sql)
        is_special = may_change_catalog or self.is_excusing or is_autocommit(connection)
        records = self.transaction.records
        if len(records) >= MOST_RECORDS and not is_special:
            return
        with self.looking_away():
            # At once, so that the excuse does not cover what a deferred trigger does at COMMIT.
            catalog = read_snapshot(connection) if may_change_catalog and self.is_excusing else None
            held = read_held(connection)
        if may_change_catalog and catalog is None:
            self.transaction.unseen = len(records)
        records.append(Record(line, self._excuse.reason, catalog, held, self._sent_at))
        if held.lock_timeout != self._lock_timeout:  # at once: the next statement would wait with it
            self._judge_unless_excused([Effect("changes-lock-timeout", f"lock_timeout = {held.lock_timeout}")])
            self._lock_timeout = held.lock_timeout
        if is_autocommit(connection):
            self._end_statement(connection, sql)

    def _end_statement(self, connection: Connection, sql: str) -> None:
        """The end of a statement in an autocommit block: judge it, then commit it."""
        if statements.runs_outside_transaction(sql):
            self.transaction = Transaction(self._read_all()[0])
            self._judge_unless_excused(statements.invalid_index(sql, self.transaction.before))
            self.commits_early = True
            return
        try:
            self._judge_transaction()
        except UnsafeOperation:
            execute_raw(connection, "ROLLBACK")
            raise
        execute_raw(connection, "COMMIT")

    def _handle_error(self, context: Any) -> None:
        is_ours = context.connection is self._connection and not context.is_disconnect
        if is_ours and not self._looks_away() and is_autocommit(self._connection):
            execute_raw(self._connection, "ROLLBACK")

    def _judge_driver(self, effect: Effect) -> None:
        """The revision is about to use the driver, maybe past SQLAlchemy."""
        found = origin(self._module)
        if found.line is not None and not (found.is_by_sqlalchemy or self._looks_away()):
            self._judge_unless_excused([effect])

    def _judge_transaction(self) -> None:
        """Compare the catalog with the one before the transaction; called before it commits."""
        if self._is_paused:
            return
        with self.looking_away():
            self._connection.execute(_FIRE_DEFERRED_TRIGGERS)
        after, held = self._read_all()
        self.transaction.see_last(after)
        records = self.transaction.records
        if records:  # else the counters hold the rows of an operation before
            records.append(Record(None, None, None, held, time.monotonic()))
        self._judge(
            (effect, record.line if record else None)
            for effect, record in effects_of_transaction(self.transaction, after)
            if record is None or record.excuse is None
        )
        self.commits_early = self.commits_early or (len(records) > 1 and self.line() is not None)
        self.transaction = Transaction(after)

    def _judge_unless_excused(self, effects: Iterable[Effect]) -> None:
        if not self.is_excusing:
            self._judge((effect, self.line()) for effect in effects)
