"""Transaction watch: sees every statement and every COMMIT of a connection, and has each transaction judged.

Text is read only where there is nothing to roll back: transaction control, and the few commands that PostgreSQL refuses
in a transaction. Their grammar is fixed, so a keyword cannot be hidden.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import isfunction
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, NamedTuple, TypeVar

from alembic import op
from sqlalchemy import Connection, event
from sqlalchemy.pool import Pool

from online_migrations.connection import driver_connection
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.record import Record, Transaction, effects_of_transaction, read_held
from online_migrations.guard.snapshot import Change, Effect, Snapshot, read_snapshot, read_touched
from online_migrations.guard.tables import has_narrower_key, index_effects, is_left_null
from online_migrations.sessions import execute_verbatim, is_open
from online_migrations.sql import NAME, TABLE, normalize, split_at_commas, split_statements, unqualified_name

Seen = TypeVar("Seen")

_ENDS_TRANSACTION = re.compile(
    r"(?:COMMIT|END|ABORT|ROLLBACK(?! (?:WORK |TRANSACTION )?TO)|BEGIN|START TRANSACTION|PREPARE TRANSACTION)\b",
    re.IGNORECASE,
)
# Statements that cannot run in a transaction, and block neither reads nor writes.
_CONCURRENT = re.compile(
    rf"(?:CREATE (?P<unique>UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?P<created>{NAME} )?"
    rf"ON (?:ONLY )?(?P<table>{TABLE})(?P<rest>.*)"
    rf"|DROP INDEX CONCURRENTLY (?:IF EXISTS )?(?P<dropped>{TABLE}(?: ?, ?{TABLE})*)"
    rf"|REINDEX (?:\(.*?\) ?)?(?:INDEX|TABLE|SCHEMA) CONCURRENTLY {NAME}|VACUUM(?!.*\bFULL\b))",
    re.IGNORECASE,
)
_SAVEPOINT = re.compile(rf"SAVEPOINT (?P<name>{NAME})", re.IGNORECASE)
_ROLLBACK_TO = re.compile(rf"ROLLBACK (?:WORK |TRANSACTION )?TO (?:SAVEPOINT )?(?P<name>{NAME})", re.IGNORECASE)
_ENDS_SESSIONS = re.compile(r"\bpg_(?:terminate|cancel)_backend\b", re.IGNORECASE)
# A SELECT that calls no function and makes no table; what a view calls is seen before COMMIT, too. A function has the
# name of such a key word only behind a schema, or in quotes.
_ONLY_READS_OR_WRITES = re.compile(
    r"(?:INSERT|UPDATE|DELETE|MERGE|COPY|VALUES|SHOW|EXPLAIN|SET)\b"
    r"|SELECT\b(?!.*\bINTO\b)(?:%\(\w+\)s|(?<!\.)(?<!\. )\b(?:IN|AND|OR|NOT|WHERE|ON|FROM) ?\(+|[^(])*$",
    re.IGNORECASE,
)


@contextmanager
def excused(reason: str) -> Iterator[None]:
    """Let one statement do what the judgement would refuse. Requests may wait for the revision, however long.

    Args:
        reason: why it is safe here, for whoever reads the revision.

    Raises:
        UnsafeOperation: the reason says nothing, or more than one statement was sent.
    """
    if len(reason.strip()) < 12:  # "ok" says nothing to whoever reads the revision next
        raise UnsafeOperation("excused() takes the reason why the statement is safe here, in a sentence.")
    opts = op.get_context().opts
    if "deadline" in opts:
        opts["deadline"].may_hold_up = True  # also when the block ends: the transaction keeps its locks
    guard = opts.get("guard")
    opts["excused"] = True  # also where no release serves: for what an operation asks by itself
    try:
        with guard.watching.excusing() if guard else nullcontext():
            yield
    finally:
        opts["excused"] = False


class Origin(NamedTuple):
    line: int | None  # of the revision's file; None when no line of it is running
    is_operation: bool  # one of our operations runs, which are judged beforehand
    is_by_sqlalchemy: bool  # and not sent by the driver alone


def origin(module: ModuleType) -> Origin:
    """Look through the callers for a line of the revision, whose module is given."""
    functions = (getattr(module, name, None) for name in ("upgrade", "downgrade"))
    codes = [function.__code__ for function in functions if isfunction(function)]  # maybe imported from another file
    frame: FrameType | None = sys._getframe(1)
    callers = []
    while frame is not None and frame.f_globals is not module.__dict__ and frame.f_code not in codes:
        callers.append(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    is_operation = any(name.startswith("online_migrations.operations") for name in callers)
    is_by_sqlalchemy = any(name.startswith("sqlalchemy.") for name in callers)
    line = frame and (frame.f_lineno if frame.f_globals is module.__dict__ else 1)
    return Origin(line, is_operation, is_by_sqlalchemy)


@contextmanager
def refused(module: ModuleType, is_allowed: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Let no line of the revision take another connection. Also while it is only rendered, or tried on scratch.

    What it does there is committed unseen. A connection from any pool of SQLAlchemy is refused before it is handed out:
    of another engine, or of the project's own session. One that is opened by the driver itself is not seen.
    """

    def refuse(*_: Any) -> None:
        found = origin(module)
        if found.line is None or found.is_operation or is_allowed():
            return
        raise UnsafeOperation(
            f"{Path(str(module.__file__)).name}:{found.line}: What a connection of its own does is committed before"
            " anybody has judged it. Use op.get_bind(), which is the migration's own."
        )

    event.listen(Pool, "checkout", refuse)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", refuse)


class TransactionWatch:
    """Watch the connection while one revision runs. It is the watcher of the driver's connection (connection.Watcher).

    So it does not matter who sends a statement and who commits: Alembic, a DO block, a function, or the driver's own
    cursor. A statement in an autocommit block gets a transaction of its own for it.
    """

    def __init__(
        self,
        connection: Connection,
        module: ModuleType,  # the revision's, whose lines are named
        judge: Callable[[Iterable[tuple[Effect, int | None]]], None],  # is given effects with their lines
        catalog: Snapshot | None,  # as it is now; None: nobody knows
    ) -> None:
        self._connection, self._driver = connection, driver_connection(connection)
        self._module = module
        self._judge = judge
        self.is_excusing = False  # a block of excused() is open
        self._excused_statements = 0  # of the block
        self._is_paused = False
        self.kept: list[int] = []  # lines of which something was committed before the revision's end
        self.commits_early = False  # whether one of them was no operation, which looks first when it runs again
        self.transaction = Transaction(catalog)
        self._driver.watcher = self

    def close(self) -> None:
        self._driver.watcher = None

    def line(self) -> int | None:
        return origin(self._module).line

    def catalog(self) -> Snapshot:
        """Return the catalog as it was when the transaction began. Where nobody knows, it has locked nothing yet."""
        if self.transaction.before is None:
            self.transaction.before = self._look(read_snapshot)
        return self.transaction.before

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Look away while an operation runs, which commits by itself. Nobody knows the catalog after it.

        One that fails may leave something that it takes back next, such as an INVALID index.
        """
        with self.looking_away():
            try:
                yield
            finally:
                self._keep(is_early=False)
                self.transaction = Transaction(None)

    @contextmanager
    def excusing(self) -> Iterator[None]:
        # What was done before, by a function that an INSERT called, is not to be taken for the next statement's.
        if records := self.transaction.records:
            after = self._look(read_touched, self.catalog())
            self.transaction.see_last(after)
            records.append(Record(records[-1].line, True, after, self._look(read_held)))
        self.is_excusing, self._excused_statements = True, 0
        try:
            yield
        finally:
            self.is_excusing = False

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        """Look at the catalog, or let an operation run. Outside of a transaction of SQLAlchemy's, leave none open."""
        was_paused, self._is_paused = self._is_paused, True
        was_open = self._connection.in_transaction()
        try:
            yield
        finally:
            if not was_open and is_open(self._connection) and self._driver.autocommit:
                self._connection.rollback()
            self._is_paused = was_paused

    def _looks_away(self) -> bool:
        """Tell whether it looks at the catalog itself, or an operation runs, which is judged beforehand; or SQLAlchemy
        asks about the connection, which it does outside of its transactions.
        """
        if self._is_paused:
            return True
        found = origin(self._module)
        return found.is_operation or (found.is_by_sqlalchemy and not self._connection.in_transaction())

    def _look(self, read: Callable[..., Seen], *given: Any) -> Seen:
        with self.looking_away():
            return read(self._connection, *given)

    @contextmanager
    def statement(self, sql: str) -> Iterator[None]:
        if self._looks_away():
            yield
            return
        self._before_statement(sql)
        try:
            yield
            self._after_statement(sql)
        except Exception:
            if is_open(self._connection) and self._driver.autocommit:
                self._driver.send_unwatched("ROLLBACK")
            raise

    def _before_statement(self, sql: str) -> None:
        if self._driver.autocommit or self.line() is not None:
            before = self.catalog()  # known before it: as it was at the beginning, or after the last statement
            if self.transaction.unseen is not None:
                self.transaction.see_last(self._look(read_touched, before))
        self._judge_unless_excused(_effects_of_text(sql))
        if self.is_excusing:
            self._excused_statements += len(_pieces(sql))
            if self._excused_statements > 1:
                raise UnsafeOperation("excused() is for one statement; give each its own, with its own reason.")
        if concurrent := self._concurrent(sql):
            self._judge_unless_excused(_effects_of_concurrent(concurrent, self.catalog()))
        elif self._driver.autocommit:
            self._driver.send_unwatched("BEGIN")
        if not self.transaction.records:
            self.transaction.records.append(Record(None, False, None, self._look(read_held, True)))

    def _after_statement(self, sql: str) -> None:
        line = self.line()  # None: Alembic's own
        records, held = self.transaction.records, self._look(read_held)
        records.append(Record(line, not self.is_excusing, None, held))
        # A function that an INSERT calls is judged by what it did, before COMMIT.
        if line is not None and not all(map(_ONLY_READS_OR_WRITES.match, _pieces(sql))):
            self.transaction.unseen = len(records) - 1
            if self.is_excusing:  # at once, so that it does not cover a trigger at COMMIT
                self.transaction.see_last(self._look(read_touched, self.catalog()))
        for made in filter(None, map(_SAVEPOINT.fullmatch, _pieces(sql))):
            self.transaction.savepoints[made["name"]] = len(records)
        if back := _ROLLBACK_TO.fullmatch(normalize(sql)):
            self.transaction.take_back(self.transaction.savepoints.get(back["name"], len(records)))
        if held.began != records[-2].held.began and not self._concurrent(sql):  # by a COMMIT that the text has hidden
            self._keep()
            self._judge_unless_excused([Effect("ends-transaction", "This statement")])
        if held.lock_timeout != records[-2].held.lock_timeout:  # at once: the next statement would wait with it
            self._judge_unless_excused([Effect("changes-lock-timeout", f"lock_timeout = {held.lock_timeout}")])
        if self._driver.autocommit:
            self._end_statement(sql)

    def _concurrent(self, sql: str) -> re.Match[str] | None:
        """Match a statement that is sent outside of a transaction, since it cannot run in one."""
        return _CONCURRENT.match(normalize(sql)) if self._driver.autocommit else None

    def _end_statement(self, sql: str) -> None:
        """End a statement in an autocommit block: judge it, then commit it."""
        if concurrent := self._concurrent(sql):
            after = self._look(read_snapshot)
            self.transaction = Transaction(after)
            self._keep()
            self._judge_unless_excused(_invalid_index(concurrent["created"], after))
            return
        self._judge_transaction()
        self._driver.send_unwatched("COMMIT")

    def before_rollback(self) -> None:
        if self.line() is not None and not self._looks_away():
            self._judge_unless_excused([Effect("rolls-back", "rollback()")])
            self.transaction = Transaction(self.transaction.before)

    def before_commit(self) -> None:
        if not self._is_paused:
            self._judge_transaction()

    def _keep(self, *, is_early: bool = True) -> None:
        """Note that what this line of the revision did stays; Alembic's own COMMIT comes after the last line."""
        line = self.line()
        self.commits_early |= is_early and line is not None
        if line is not None and line not in self.kept:
            self.kept.append(line)

    def _judge_transaction(self) -> None:
        """Compare the catalog with the one before the transaction, which is committed next."""
        records = self.transaction.records
        if self.transaction.before is None:  # no line of the revision has run in it
            self.transaction = Transaction(None)
            return
        with self.looking_away():
            execute_verbatim(self._connection, "SET CONSTRAINTS ALL IMMEDIATE")  # deferred triggers, seen with the rest
            after = read_touched(self._connection, self.transaction.before)
        self.transaction.see_last(after)
        if records:  # else the counters hold the rows of an operation before
            records.append(Record(None, True, after, self._look(read_held)))
        self._judge(
            (effect, record.line if record else None)
            for effect, record in effects_of_transaction(self.transaction, after)
            if record is None or record.is_judged
        )
        self.transaction = Transaction(after)
        if records:
            self._keep()

    def _judge_unless_excused(self, effects: Iterable[Effect]) -> None:
        if not self.is_excusing:
            self._judge((effect, self.line()) for effect in effects)


def _pieces(sql: str) -> list[str]:
    """Return the statements of a text, each on one line without comments and literals."""
    return [piece for piece in map(normalize, split_statements(sql)) if piece]


def _effects_of_text(sql: str) -> Iterator[Effect]:
    """Yield the effects that nobody could undo after it."""
    yield from (Effect("ends-transaction", piece) for piece in _pieces(sql) if _ENDS_TRANSACTION.match(piece))
    if ends := _ENDS_SESSIONS.search(sql):
        yield Effect("ends-sessions", f"{ends[0]}()")


def _effects_of_concurrent(statement: re.Match[str], catalog: Snapshot) -> Iterator[Effect]:
    """Yield those of a statement that is sent outside of a transaction."""
    if statement["unique"]:
        yield from _effects_of_unique_index(statement, catalog)
    dropped = {unqualified_name(name) for name in split_at_commas(statement["dropped"] or "") if name}
    for key, thing in catalog.items() if dropped else ():
        if key[0] == "index" and thing.name in dropped:
            yield from index_effects(Change(key, thing, None, catalog, catalog))


def _effects_of_unique_index(statement: re.Match[str], catalog: Snapshot) -> Iterator[Effect]:
    """Yield what the index asks of rows that leave one of its columns NULL: two of them are not the same."""
    table = unqualified_name(statement["table"])
    subject = f"{statement['table']}.{(statement['created'] or 'a unique index').strip()}"
    keys = re.fullmatch(rf" ?(?:USING BTREE )?\((?P<names>{NAME}(?: ?, ?{NAME})*)\)", statement["rest"], re.IGNORECASE)
    found = [(key, thing) for key, thing in catalog.relations() if thing.name.rpartition(".")[2] == table]
    if keys is None or len(found) != 1:
        yield Effect("requires-more", subject)
        return
    [(key, thing)] = found
    names = {unqualified_name(name) for name in split_at_commas(keys["names"])}
    if not has_narrower_key((index for _, index in catalog.of(key, "index")), names):
        columns = (column for _, column in catalog.of(key, "column") if column.name in names)
        yield Effect("requires-more", subject, thing.name, tuple(one.name for one in columns if is_left_null(one)))


def _invalid_index(created: str | None, catalog: Snapshot) -> Iterator[Effect]:
    """Yield the index that CREATE INDEX CONCURRENTLY named, if one that is INVALID has the name afterwards."""
    for key, thing in catalog.items() if created else ():
        if key[0] == "index" and thing.name == unqualified_name(str(created)) and not thing.facts["valid"]:
            yield Effect("leaves-invalid-index", thing.name)
