"""Guard: refuses what a revision must not do, before it is committed.

SQL can be spelled in many ways, the catalog cannot. So a revision is judged by what it did to the catalog. An upgrade
is judged by the phase that its file states, a downgrade as a contract: it takes what its upgrade gave. With it goes all
that was written there since, so it says what that is, and goes on when the command names it: -x lose=notes.colour.
"""

import gc
import logging
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import Script
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from online_migrations.connection import rolled_back
from online_migrations.errors import NOT_ALLOWED, UnsafeOperation
from online_migrations.guard.proofs import gives_new_numbers, no_row_meets, quoted, takes_all, takes_default
from online_migrations.guard.rules import Judge, Violation, in_database, is_in_use, judge, written
from online_migrations.guard.snapshot import (
    DEFAULT_SCHEMA,
    Effect,
    Snapshot,
    on_table,
    read_snapshot,
    shown,
    with_parts,
)
from online_migrations.guard.tables import VIEWS
from online_migrations.guard.watch import TransactionWatch, refused
from online_migrations.locks import QUERY_CANCELED, Deadline, sqlstate
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import quote
from online_migrations.state.ledger import CONTRACT, EXPAND, phase_of
from online_migrations.state.live import Usage

log = logging.getLogger(__name__)

_CURRENT_SCHEMA = text("SELECT current_schema()")

MOST_TOLD = 3  # broken rules in one message, and objects for each
# Rows that one revision may insert or update: about what backfill() writes at a time. They are locked until COMMIT.
MANY_ROWS = 1000

LOSES = ("drops-table", "drops-column")
MOST_COUNTED = 100_000  # rows
# A policy that hides rows from us is an error then.
SETTINGS = text("SET LOCAL statement_timeout = '5s'; SET LOCAL row_security = off")


class Loss(NamedTuple):
    table: str  # with its schema
    column: str | None  # None: the whole table
    is_in_use: bool  # by the live release
    is_copied: bool  # its values can be made again of other columns

    @property
    def name(self) -> str:
        return ".".join([shown(self.table), *([self.column] if self.column else [])])


class WouldLose(UnsafeOperation):
    """A downgrade takes columns or tables that nobody has named. It is rolled back; `losses` says what they are."""

    def __init__(self, place: str, losses: Collection[Loss]) -> None:
        self.place = place
        self.losses = losses
        options = " ".join(f"-x {shlex.quote(f'lose={loss.name}')}" for loss in losses)
        self.insist = f"If that is meant, run the same command with {options}"
        names = ", ".join(loss.name for loss in losses)
        super().__init__(f"{place}: this downgrade takes {names}. {self.insist}")


def told(found: Iterable[Violation], kept: list[int]) -> str:
    """Return what was refused, together for each rule that a line broke, and which lines were committed before."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for one in dict.fromkeys(found):
        by_rule.setdefault((one.place, one.instead), []).append(one.what)
    sentences = _first([f"{place}: {' '.join(_first(what))} {instead}" for (place, instead), what in by_rule.items()])
    if not kept:
        return " ".join([*sentences, "The revision was rolled back."])
    lines = f"line {kept[0]}" if len(kept) == 1 else f"lines {', '.join(map(str, kept[:-1]))} and {kept[-1]}"
    return " ".join([*sentences, f"What {lines} did had been committed before and stays; the rest was rolled back."])


def _first(sentences: list[str]) -> list[str]:
    """Leave out those that would make a message too long, such as of each partition of a table."""
    more = len(sentences) - MOST_TOLD
    return [*sentences[:MOST_TOLD], f"And {more} more."] if more > 0 else sentences


class Guard:
    """Judge the revisions of one run."""

    def __init__(
        self,
        connection: Connection,
        live: Mapping[str, Usage] | None,  # what the live release uses; None: no release has said so
        deadline: Deadline,
        found: Callable[[list[Violation]], None] | None = None,  # is told violations, which else end the run
        lose: Collection[str] = (),  # what a downgrade may throw away, such as "notes.colour"
    ) -> None:
        self._connection = connection
        self._deadline = deadline
        self._found = found
        self._lose = set(lose)
        at_start = read_snapshot(connection)
        self._catalog: Snapshot | None = at_start  # as it still is when the next revision begins; None: nobody knows
        self._first_names = {key: thing.name for key, thing in at_start.relations()}
        schema = str(connection.scalar(_CURRENT_SCHEMA))
        in_use = None if live is None else in_database(live, at_start, schema)
        used = at_start.unretired() if in_use is None else {table: usage.columns for table, usage in in_use.items()}
        self._judge_of = partial(Judge, live=in_use, there=at_start.tables(), in_use=used)
        connection.rollback()
        gc.freeze()  # of a large schema, which garbage collection would go through under the locks of a step
        self._watch: TransactionWatch | None = None
        self._retries_before: dict[str, int] = {}

    def steps(self, steps: Iterable[Any]) -> Iterator[Any]:
        """Yield Alembic's steps, each watched while Alembic runs and commits it."""
        for step in steps:
            with self.revision(step.revision, step.is_upgrade):
                yield step
                log.info("%s took %.1f s", step.revision.revision, time.monotonic() - self._began)

    @contextmanager
    def revision(self, script: Script, is_upgrade: bool = True) -> Iterator[None]:
        """Watch one revision. Its transaction begins and commits within the block."""
        self._script, self._is_upgrade, self._began, self._rows = script, is_upgrade, time.monotonic(), 0
        self._deadline.may_hold_up = False
        self._retries_before.setdefault(script.revision, self._deadline.retries)
        catalog, self._catalog = self._catalog, None
        watch = self._watch = TransactionWatch(self._connection, script.module, self._judge, catalog)
        try:
            with refused(script.module, lambda: watch.is_excusing):
                yield
            self._catalog = watch.transaction.before
        finally:
            self.close()

    def close(self) -> None:
        """Stop watching: the revision was committed, or failed."""
        if self._watch is not None:
            self._watch.close()

    def operation(self, *effects: Effect) -> AbstractContextManager[None]:
        """Run an operation, which commits by itself, if the revision may have its effects; else nothing is sent."""
        watch = self.watching
        if effects and not watch.is_excusing:
            catalog = watch.catalog()
            with watch.looking_away():
                schema = self._connection.scalar(_CURRENT_SCHEMA)  # in which an operation finds its table
                try:
                    here = [effect._replace(table=f"{schema}.{shown(effect.table)}") for effect in effects]
                    self._judge((effect, watch.line()) for effect in with_parts(here, catalog))
                except WouldLose as found:
                    require_nothing_lost(self._connection, found)
        return watch.operation()

    def may_lose(self, found: WouldLose) -> None:
        """Let a downgrade take these when it runs again: they are empty."""
        self._lose |= {loss.name for loss in found.losses}

    def cost_so_far(self) -> dict[str, int]:
        attempts = 1 + self._deadline.retries - self._retries_before[self._script.revision]
        return {"attempts": attempts, "milliseconds": round((time.monotonic() - self._began) * 1000)}

    @property
    def watching(self) -> TransactionWatch:
        assert self._watch is not None  # noqa: S101 - operations and excuses stand in revisions
        return self._watch

    def _judge(self, effects: Iterable[tuple[Effect, int | None]]) -> None:
        """Judge the effects of a transaction or an operation, each with its line.

        Raises: UnsafeOperation, if one is not allowed; WouldLose, if all are and a downgrade takes what nobody named.
        """
        given = list(effects)
        if not given:
            return
        catalog = self.watching.catalog()
        tables = {catalog[key].name: key for key in self._first_names if key in catalog}
        by = self._judge_of(phase_of(self._script) if self._is_upgrade else CONTRACT)
        found: list[Violation] = []
        losses: dict[Loss, str] = {}
        with self.watching.looking_away():
            for effect, line in given:
                place = f"{Path(self._script.path).name}:{line}" if line else Path(self._script.path).name
                key = tables.get(effect.table)
                named = effect._replace(table=self._first_names.get(key, effect.table) if key else effect.table)
                is_view = key is not None and catalog[key].facts["kind"] in VIEWS
                if not self._is_upgrade and effect.code in LOSES and named.table in by.there and not is_view:
                    is_used = by.live is not None and is_in_use(named, by)
                    there = {None, *catalog.column_names(key)} if key else set()  # or an earlier attempt has taken it
                    columns = [column for column in effect.columns or [None] if column in there]
                    losses |= {Loss(effect.table, column, is_used, effect.is_copied): place for column in columns}
                elif violation := self._violation(effect, named, by):
                    found.append(violation._replace(revision=self._script.revision, place=place))
        lost = without_parts(losses, catalog)
        unnamed = [loss for loss in lost if self._lose.isdisjoint((loss.name, f"{DEFAULT_SCHEMA}{loss.name}"))]
        if found and self._found:
            self._found(found)
        elif found:
            raise UnsafeOperation(told(found, self.watching.kept))
        elif unnamed:
            raise WouldLose(losses[unnamed[0]], unnamed)

    def _violation(self, given: Effect, effect: Effect, by: Judge) -> Violation | None:
        """Judge an effect on a table by the name from before the run; `given` has the one that it has now."""
        if effect.code == "writes-rows":  # all that the revision has written in tables that it has not made
            self._rows += effect.rows if effect.table in by.there else 0
            subject = f"{self._rows:,} rows, the last ones of {effect.subject}"
            many = effect._replace(code="writes-many-rows", subject=subject)
            return judge(many, by) if self._rows > MANY_ROWS else None
        violation = judge(self._of_check(given, effect, by) if effect.check else effect, by)
        new = f"CHECK ({effect.check})"
        if violation and any(takes_all(self._connection, given.table, old, new) for old in effect.beside):
            return None
        if violation and effect.code == "changes-default":
            return None if takes_default(self._connection, given, written(effect, by)) else violation
        if violation and effect.code == "sets-sequence-back":
            return None if gives_new_numbers(self._connection, given) else violation
        return violation

    def _of_check(self, given: Effect, effect: Effect, by: Judge) -> Effect:
        """Return what a CHECK means for rows of the live release.

        In an expand it goes without its columns, unless it takes each row that leaves out what is not written. Also if
        it is about both: an UPDATE of what is written meets a row in which new code has filled the rest. In a contract
        one that takes no NULL in a column is another spelling of NOT NULL.
        """

        def is_never(condition: str, values: Mapping[str, str | None]) -> bool:
            return no_row_meets(self._connection, given.table, condition.format(given.check), values)

        columns = set(effect.columns)
        if by.phase == EXPAND:
            unwritten = columns - written(effect, by)
            is_met = unwritten == columns and is_never("NOT ({})", dict.fromkeys(unwritten))
            return effect if is_met else effect._replace(columns=())
        usage = (by.live or {}).get(effect.table)
        if usage is None:
            return effect
        for name in sorted(columns & usage.nullable | columns - usage.columns):
            if is_never("({}) IS NOT FALSE", {name: "NULL" if name in usage.columns else None}):
                subject = f"{shown(effect.table)}.{name}"
                return on_table("requires-value", effect.table, subject=subject, column=name)
        return effect


def without_parts(losses: Collection[Loss], before: Snapshot) -> Iterator[Loss]:
    """Leave out what a part of a table loses together with the whole, whose rows count those of its parts."""
    taken = {(loss.table, loss.column) for loss in losses}
    tables = {loss.table for loss in losses}
    wholes = {thing.name: [*before.wholes(key)] for key, thing in before.relations() if thing.name in tables}
    return (loss for loss in losses if taken.isdisjoint((whole, loss.column) for whole in wholes[loss.table]))


def require_nothing_lost(connection: Connection, found: WouldLose) -> None:
    """Let the downgrade, which has been rolled back, go on if what it takes is empty, and no release uses it.

    Raises: UnsafeOperation, which says how much would be lost, and how to insist; DBAPIError, for want of a lock.
    """
    lost = []
    for loss in found.losses:
        number = 0 if loss.is_copied else _count(connection, loss)
        if number == 0 and not loss.is_in_use:
            continue
        what = f"{loss.name}, of which we may not see all, or not within 5 seconds"
        if number is not None:
            rows = f"more than {MOST_COUNTED:,}" if number > MOST_COUNTED else f"{number:,}"
            what = f"{loss.name}, with {'values in ' if loss.column else ''}{rows} row{'' if number == 1 else 's'}"
        lost.append(f"{what}, which the live release still uses" if loss.is_in_use else what)
    if lost:
        raise UnsafeOperation(
            f"{found.place}: this downgrade would throw away {'; '.join(lost)}. Nothing of it was dropped."
            f" {found.insist}"
        )


def _count(connection: Connection, loss: Loss) -> int | None:
    """Count the rows, or those with a value, up to MOST_COUNTED and one more; None: too slow, or not all are seen.

    A composite value is one also if all of its fields are NULL, which IS NOT NULL denies.
    """
    where = f" WHERE {quote(loss.column)} IS DISTINCT FROM NULL" if loss.column else ""
    rows = f"SELECT FROM {quoted(loss.table)}{where} LIMIT {MOST_COUNTED + 1}"
    try:
        with rolled_back(connection):
            connection.execute(SETTINGS)
            return int(execute_verbatim(connection, f"SELECT count(*) FROM ({rows}) found").scalar_one())  # noqa: S608
    except DBAPIError as error:
        if sqlstate(error) not in (QUERY_CANCELED, NOT_ALLOWED):
            raise
        return None
