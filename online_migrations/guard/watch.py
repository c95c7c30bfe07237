"""Transaction watch: sees every statement and every COMMIT of a connection, and has each transaction judged.

It listens to the connection's events. So it does not matter who sends a statement and who commits: Alembic, an
operation, a DO block or a function. A statement in an autocommit block gets a transaction of its own for it.

`excused("reason")`: a deliberate exception from the judgement, for one statement of a revision.

Origin of a statement: the line of the revision that is running, and whether it called an operation.

Other ways to a database than the migration's connection. What a revision does there is committed unseen.

A connection from any pool of SQLAlchemy is refused before it is handed out: of another engine, or of the project's own
session. One that is opened by the driver itself is not seen.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Connection, event, text
from sqlalchemy.pool import Pool

from online_migrations.connection import driver_connection, execute_raw, is_autocommit
from online_migrations.errors import UnsafeOperation
from online_migrations.guard import statements
from online_migrations.guard.effect import Effect
from online_migrations.guard.record import Held, Record, Transaction, effects_of_transaction, read_held
from online_migrations.guard.snapshot import Snapshot, read_snapshot

SHORTEST_REASON = 12  # characters; "ok" says nothing to whoever reads the revision next


class Excuse:
    """The block of an excused(), which is open or not."""

    def __init__(self) -> None:
        self.reason: str | None = None  # None: no block is open
        self._statements = 0

    @contextmanager
    def block(self, reason: str) -> Iterator[None]:
        self.reason, self._statements = reason, 0
        try:
            yield
        finally:
            self.reason = None

    def count(self, sql: str) -> None:
        """
        Raises:
            UnsafeOperation: it is the second statement of an open block.
        """
        self._statements += len(statements.pieces(sql)) if self.reason is not None else 0
        if self._statements > 1:
            raise UnsafeOperation("excused() is for one statement; give each its own, with its own reason.")


@contextmanager
def excused(reason: str) -> Iterator[None]:
    """Let one statement do what the judgement would refuse. Requests may wait for the revision, however long.

    Args:
        reason: why it is safe here, for whoever reads the revision.

    Raises:
        UnsafeOperation: the reason says nothing, or more than one statement was sent.
    """
    if len(reason.strip()) < SHORTEST_REASON:
        raise UnsafeOperation("excused() takes the reason why the statement is safe here, in a sentence.")
    opts = op.get_context().opts
    if "blockers" in opts:
        opts["blockers"].may_hold_up = True  # also when the block ends: the transaction keeps its locks
    guard = opts.get("guard")
    if guard is not None:
        with guard.excusing(reason):
            yield
        return
    opts["excused"] = True  # --sql mode, or a database that no release serves: for what an operation asks by itself
    try:
        yield
    finally:
        opts["excused"] = False


OPERATIONS = f"{__name__.partition('.')[0]}.operations"


class Origin(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it is running
    is_operation: bool  # whether one of online_migrations.operations runs, which are judged beforehand
    is_by_sqlalchemy: bool  # whether it goes through SQLAlchemy, and not through the driver alone


def origin(module: ModuleType) -> Origin:
    """
    Args:
        module: the revision's.
    """
    frame: FrameType | None = sys._getframe(1)
    callers = []
    while frame is not None and frame.f_globals is not module.__dict__:
        callers.append(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    is_operation = any(name.startswith(OPERATIONS) for name in callers)
    is_by_sqlalchemy = any(name.startswith("sqlalchemy.") for name in callers)
    return Origin(frame.f_lineno if frame else None, is_operation, is_by_sqlalchemy)


CONNECTION, CURSOR = "a connection of its own", "a cursor of the driver"


@contextmanager
def refused(module: ModuleType, is_allowed: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Let no line of the revision take another connection. Also while it is only rendered, or tried on scratch.

    Args:
        module: the revision's.
        is_allowed: whether one may be taken now.
    """

    def refuse(*_: Any) -> None:
        found = origin(module)
        if found.line is None or found.is_operation or is_allowed():
            return
        raise UnsafeOperation(
            f"{Path(str(module.__file__)).name}:{found.line}: What {CONNECTION} does is committed before anybody has"
            " judged it. Use op.get_bind(), which is the migration's own."
        )

    event.listen(Pool, "checkout", refuse)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", refuse)


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
        """Look away while one of online_migrations.operations runs, which commits by itself.

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
