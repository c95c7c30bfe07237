"""Guard: refuses what a revision must not do, before it is committed, and adds up what the revision cost.

SQL can be spelled in many ways, the catalog cannot. So a revision is judged by what it did to the catalog, not by its
text: raw SQL, DO blocks and functions alike. An upgrade is judged by the phase that its file states, a downgrade as a
contract: it takes what its upgrade gave.
"""

import gc
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import Script
from sqlalchemy import Connection, text

from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect, in_schema, on_table, shown
from online_migrations.guard.losses import LOSES, Loss, WouldLose, losses_of, require_nothing_lost, without_parts
from online_migrations.guard.proofs import gives_new_numbers, refuses_rows_without, takes_default, takes_rows_without
from online_migrations.guard.record import Cost
from online_migrations.guard.rules import Judge, Violation, is_in_use, judge, left_out, written
from online_migrations.guard.snapshot import Key, Snapshot, read_snapshot
from online_migrations.guard.tables import VIEWS
from online_migrations.guard.usage import Usage, in_database, with_parts
from online_migrations.guard.watch import TransactionWatch, refused
from online_migrations.locks import Blockers
from online_migrations.state.ledger import CONTRACT, EXPAND, phase_of

log = logging.getLogger(__name__)

_CURRENT_SCHEMA = text("SELECT current_schema()")

MOST_TOLD = 3  # broken rules in one message
# Rows that one revision may insert or update: about what backfill() writes at a time. They are locked until COMMIT.
MANY_ROWS = 1000


class Refused(NamedTuple):
    """Name the place of what is refused, by file and line: "0025_x.py:14"."""

    place: str
    violation: Violation


def told(found: list[Refused], kept: list[int]) -> str:
    """Return what was refused, and what of the revision is kept all the same.

    Args:
        kept: lines that were committed before: of operations, and of statements in an autocommit block.
    """
    sentences = _sentences(found)
    more = [f"And {len(sentences) - MOST_TOLD} more."] if len(sentences) > MOST_TOLD else []
    return " ".join([*sentences[:MOST_TOLD], *more, _said_of_kept(kept)])


def _said_of_kept(kept: list[int]) -> str:
    if not kept:
        return "The revision was rolled back."
    lines = f"line {kept[0]}" if len(kept) == 1 else f"lines {', '.join(map(str, kept[:-1]))} and {kept[-1]}"
    return f"What {lines} did had been committed before and stays; the rest was rolled back."


def _sentences(found: list[Refused]) -> list[str]:
    """Return one for each rule that a line broke, with all that it broke it for, such as the tables of a TRUNCATE."""
    subjects: dict[tuple[str, str, str], list[str]] = {}
    for place, (effect, what, instead) in found:
        same = subjects.setdefault((place, what.replace(effect.subject, "{subject}"), instead), [])
        if effect.subject not in same:
            same.append(effect.subject)
    return [
        f"{place}: {what.replace('{subject}', ', '.join(names))} {instead}"
        for (place, what, instead), names in subjects.items()
    ]


class Guard:
    """Judge the revisions of one run.

    Args:
        live: what the live release uses; None: no release has said so.
        blockers: counts how often a lock was not to be had.
        found: is told the violations of a transaction or an operation; by default they end the run.
        lose: columns and tables that a downgrade may throw away, such as "notes.colour".
    """

    def __init__(
        self,
        connection: Connection,
        live: Mapping[str, Usage] | None,
        blockers: Blockers,
        found: Callable[[list[Refused]], None] | None = None,
        lose: Collection[str] = (),
    ) -> None:
        self._connection = connection
        self._blockers = blockers
        self._found = found or self._refuse
        self._lose = set(lose)
        self._is_upgrade = True
        self.committed_early = False  # whether a statement of the last revision was committed before its end
        at_start = read_snapshot(connection)
        self._catalog: Snapshot | None = at_start  # as it still is when the next revision begins; None: nobody knows
        self._first_names = {key: thing.name for key, thing in at_start.of(None, "relation")}
        self._renamed: dict[str, str] = {}  # name of a table now: what it was when the run began
        self._views = {thing.name for _, thing in at_start.relations() if thing.facts["kind"] in VIEWS}
        schema = str(connection.scalar(_CURRENT_SCHEMA))
        in_use = None if live is None else in_database(live, at_start, schema)
        self._judge_of = partial(Judge, live=in_use, there=at_start.tables(), retired=at_start.retired())
        connection.rollback()
        gc.freeze()  # of a large schema, which garbage collection would go through under the locks of a step
        self._watch: TransactionWatch | None = None
        self._retries_before: dict[str, int] = {}

    def steps(self, steps: Iterable[Any]) -> Iterator[Any]:
        """Yield Alembic's steps, each watched while Alembic runs and commits it."""
        for step in steps:
            with self.revision(step.revision, step.is_upgrade):
                yield step
                log.info("%s cost %s", step.revision.revision, self.cost_so_far())

    @contextmanager
    def revision(self, script: Script, is_upgrade: bool = True) -> Iterator[None]:
        """Watch one revision. Its transaction begins and commits within the block."""
        self._script, self._is_upgrade, self.cost, self._rows = script, is_upgrade, Cost(), 0
        self._blockers.may_hold_up = False
        self._retries_before.setdefault(script.revision, self._blockers.retries)
        catalog, self._catalog = self._catalog, None
        watch = TransactionWatch(self._connection, script.module, self._judge, self._note_names, catalog)
        self._watch = watch
        try:
            with refused(script.module, lambda: watch.is_excusing):
                yield
            self._catalog = watch.transaction.before
        finally:
            self.close()

    def close(self) -> None:
        """Stop watching: the revision was committed, or failed."""
        if self._watch is not None:
            self.committed_early = self._watch.commits_early
            self._watch.close()
            self._watch = None

    def operation(self, *effects: Effect) -> AbstractContextManager[None]:
        """Run an operation, which commits by itself. Its effects are known beforehand.

        Raises:
            UnsafeOperation: the revision may not have one of them; nothing was sent.
        """
        watch = self._watching()
        if effects and not watch.is_excusing:
            catalog = watch.catalog()
            with watch.looking_away():
                schema = self._connection.scalar(_CURRENT_SCHEMA)
            try:
                here = [in_schema(effect, schema) for effect in effects]
                self._judge((effect, watch.line()) for effect in with_parts(here, catalog))
            except WouldLose as found:
                with watch.looking_away():
                    require_nothing_lost(self._connection, found)
        return watch.operation()

    def may_lose(self, found: WouldLose) -> None:
        """Let a downgrade take these when it runs again: they are empty."""
        self._lose |= {loss.name for loss in found.losses}

    @property
    def is_excusing(self) -> bool:
        return self._watching().is_excusing

    def excusing(self, reason: str) -> AbstractContextManager[None]:
        """See excused()."""
        return self._watching().excusing(reason)

    def cost_so_far(self) -> dict[str, Any]:
        """Return what the revision cost, with the transaction that is about to commit; for the ledger."""
        self.cost.add_transaction(self._watching().transaction)
        return self.cost.as_json(1 + self._blockers.retries - self._retries_before[self._script.revision])

    def _watching(self) -> TransactionWatch:
        assert self._watch is not None  # noqa: S101 - operations and excuses stand in revisions
        return self._watch

    def _note_names(self, catalog: Snapshot, keys: Iterable[Key]) -> None:
        """A table that this run has renamed is judged as the one that was there."""
        for key in keys:
            first = self._first_names.get(key)
            if first is not None and key in catalog:
                self._renamed = {now: was for now, was in self._renamed.items() if was != first}
                if catalog[key].name != first:
                    self._renamed[catalog[key].name] = first

    def _refuse(self, found: list[Refused]) -> None:
        """Raises: UnsafeOperation: the transaction is rolled back."""
        raise UnsafeOperation(told(found, self._watching().kept))

    def _judge(self, effects: Iterable[tuple[Effect, int | None]]) -> None:
        """Judge the effects of a transaction or an operation, each with its line.

        Raises:
            UnsafeOperation: one of them is not allowed.
            WouldLose: all of them are, and a downgrade takes what nobody has named.
        """
        by = self._judge_of(phase_of(self._script) if self._is_upgrade else CONTRACT)
        found: list[Refused] = []
        losses: dict[Loss, str] = {}
        for given, line in effects:
            place = f"{Path(self._script.path).name}:{line}" if line else Path(self._script.path).name
            effect = self._by_its_first_name(self._with_check(given, by) if by.phase == EXPAND else given)
            if self._takes_values(effect, by):
                is_used = by.live is not None and is_in_use(effect, by)
                losses |= dict.fromkeys(losses_of(given, self._watching().catalog(), is_used), place)
            elif violation := self._violation(effect, by):
                found.append(Refused(place, violation))
        unnamed: list[Loss] = []
        if losses:
            parts_left_out = without_parts(losses, self._watching().catalog())
            unnamed = [loss for loss in parts_left_out if not loss.is_named_in(self._lose)]
        if found:
            self._found(found)
        elif unnamed:
            raise WouldLose(losses[unnamed[0]], unnamed)

    def _violation(self, effect: Effect, by: Judge) -> Violation | None:
        if effect.code == "writes-rows":
            return self._of_rows(effect, by)
        violation = judge(self._as_not_null(effect, by), by)
        if violation and effect.code == "changes-default" and self._is_taken(effect, by):
            return None
        if violation and effect.code == "sets-sequence-back" and self._gives_new_numbers(effect):
            return None
        return violation

    def _of_rows(self, effect: Effect, by: Judge) -> Violation | None:
        """Add up what the revision has inserted and updated in tables that it has not made."""
        if effect.table in by.there:
            self._rows += effect.rows
        if self._rows <= MANY_ROWS:
            return None
        return judge(
            effect._replace(code="writes-many-rows", subject=f"{self._rows:,} rows, the last ones of {effect.subject}"),
            by,
        )

    def _takes_values(self, effect: Effect, by: Judge) -> bool:
        """Tell whether a downgrade throws away a table that was there before the run, or columns of it."""
        is_loss = not self._is_upgrade and effect.code in LOSES
        return is_loss and effect.table in by.there and effect.table not in self._views

    def _by_its_first_name(self, effect: Effect) -> Effect:
        return effect._replace(table=self._renamed.get(effect.table, effect.table))

    def _gives_new_numbers(self, effect: Effect) -> bool:
        with self._watching().looking_away():
            return gives_new_numbers(self._connection, effect)

    def _is_taken(self, effect: Effect, by: Judge) -> bool:
        with self._watching().looking_away():
            return takes_default(self._connection, effect, written(self._by_its_first_name(effect), by))

    def _as_not_null(self, effect: Effect, by: Judge) -> Effect:
        """Return NOT NULL for a contract's CHECK that takes no NULL in a column, which is another spelling of it."""
        usage = (by.live or {}).get(effect.table)
        if by.phase == EXPAND or usage is None or not effect.check:
            return effect
        columns = frozenset(effect.columns)
        with self._watching().looking_away():
            refused = [
                *(name for name in columns & usage.nullable if self._refuses(effect, (), {name: "NULL"})),
                *(name for name in columns - usage.columns if self._refuses(effect, {name}, {})),
            ]
        if not refused:
            return effect
        return on_table("requires-value", effect.table)._replace(
            subject=f"{shown(effect.table)}.{refused[0]}", column=refused[0]
        )

    def _refuses(self, effect: Effect, left_out: Collection[str], given: Mapping[str, str]) -> bool:
        return refuses_rows_without(self._connection, effect, left_out, given)

    def _with_check(self, effect: Effect, by: Judge) -> Effect:
        """Return a CHECK without its columns, unless it takes each row that leaves out what is not written.

        Also if it is about both: an UPDATE of what is written meets a row in which new code has filled the rest.
        """
        if not effect.check:
            return effect
        unwritten = left_out(self._by_its_first_name(effect), by)
        with self._watching().looking_away():
            is_met = unwritten == set(effect.columns) and takes_rows_without(self._connection, effect, unwritten)
        return effect if is_met else effect._replace(columns=())
