"""Guard: refuses what a revision's phase does not allow, before it is committed, and adds up what the revision cost."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from alembic.script import Script
from sqlalchemy import Connection, text

from app.release import options
from app.release.blockers import Blockers
from app.release.effects import other_connections
from app.release.effects.cost import Cost
from app.release.effects.defaults import takes_default
from app.release.effects.effect import Effect, in_schema, shown
from app.release.effects.judgement import Judge, Mapped, Violation, judge, left_out, written
from app.release.effects.left_out import takes_rows_without
from app.release.effects.snapshot import Snapshot, read_snapshot, retired_in, tables_of
from app.release.effects.transaction_watch import TransactionWatch
from app.release.errors import UnsafeOperation
from app.release.ledger import TOOL_TABLES, VERSION_TABLE, phase_of

log = logging.getLogger(__name__)


_CURRENT_SCHEMA = text("SELECT current_schema()")

MOST_TOLD = 3  # broken rules in one message


class Refused(NamedTuple):
    """
    Args:
        place: file and line, "0025_x.py:14".
    """

    place: str
    violation: Violation


def refuse(found: list[Refused]) -> None:
    """
    Raises:
        UnsafeOperation: the transaction is rolled back.
    """
    sentences = _sentences(found)
    told, more = sentences[:MOST_TOLD], len(sentences) - MOST_TOLD
    if more > 0:
        told.append(f"And {more} more.")
    raise UnsafeOperation(" ".join([*told, "Nothing of this step was kept."]))


def _sentences(found: list[Refused]) -> list[str]:
    """One for each rule that a line broke, with all that it broke it for: TRUNCATE … CASCADE empties many tables."""
    subjects: dict[tuple[str, str, str], list[str]] = {}
    for place, (effect, what, instead) in found:
        same = subjects.setdefault((place, what.replace(effect.subject, "{subject}"), instead), [])
        if effect.subject not in same:
            same.append(effect.subject)
    return [
        f"{place}: {what.replace('{subject}', ', '.join(names))} {instead}"
        for (place, what, instead), names in subjects.items()
    ]


def _of_tools(there: Mapped) -> Mapped:
    """Tables that a release uses without a model: the job queue's, this library's and Alembic's."""
    own = (*TOOL_TABLES, VERSION_TABLE)
    return {
        table: columns for table, columns in there.items() if shown(table) in own or options.is_of_a_tool(shown(table))
    }


class Guard:
    """
    Args:
        live: what the live release maps; None: no release has said so.
        blockers: counts how often a lock was not to be had.
        found: is told the violations of a transaction or an operation; by default it ends the run.
    """

    def __init__(
        self,
        connection: Connection,
        live: Mapped | None,
        blockers: Blockers,
        found: Callable[[list[Refused]], None] = refuse,
    ) -> None:
        self._connection = connection
        self._blockers = blockers
        self._found = found
        at_start = self._read_catalog()
        self._catalog: Snapshot | None = at_start  # as it still is when the next revision begins; None: nobody knows
        self._relations = {key: thing.name for key, thing in at_start.items() if key[0] == "relation"}
        there = tables_of(at_start)
        in_use = None if live is None else {**_of_tools(there), **live}
        self._judge_of = partial(Judge, live=in_use, there=there, retired=retired_in(at_start))
        self._watch: TransactionWatch | None = None
        self._retries_before: dict[str, int] = {}

    def steps(self, steps: Iterable[Any]) -> Iterator[Any]:
        """Alembic's upgrade steps, each watched while Alembic runs and commits it."""
        for step in steps:
            with self.revision(step.revision):
                yield step
                log.info("%s cost %s", step.revision.revision, self.cost_so_far())

    @contextmanager
    def revision(self, script: Script) -> Iterator[None]:
        """Watch one revision. Its transaction begins and commits within the block."""
        self._script, self.cost = script, Cost()
        self._blockers.may_hold_up = False
        self._retries_before.setdefault(script.revision, self._blockers.retries)
        catalog, self._catalog = self._catalog or self._read_catalog(), None
        watch = self._watch = TransactionWatch(self._connection, script.module, self._judge, catalog)
        try:
            with other_connections.refused(script.module, lambda: watch.is_excusing):
                yield
            self._catalog = watch.transaction.before
        finally:
            self.close()

    def close(self) -> None:
        """Stop watching: the revision was committed, or failed."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def operation(self, *effects: Effect) -> AbstractContextManager[None]:
        """Run one of app.release.operations, which commits by itself. Its effects are known beforehand.

        Raises:
            UnsafeOperation: the revision's phase does not allow one of them; nothing was sent.
        """
        watch = self._watching()
        if effects and not watch.is_excusing:
            schema = self._connection.scalar(_CURRENT_SCHEMA)
            self._judge((in_schema(effect, schema), watch.line()) for effect in effects)
        return watch.operation()

    def excusing(self, reason: str) -> AbstractContextManager[None]:
        """See excused()."""
        return self._watching().excusing(reason)

    def cost_so_far(self) -> dict[str, Any]:
        """What the revision cost, with the transaction that is about to commit; for the ledger."""
        self.cost.add_transaction(self._watching().transaction)
        return self.cost.as_json(1 + self._blockers.retries - self._retries_before[self._script.revision])

    @property
    def commits_early(self) -> bool:
        """Whether a statement of the revision, not of an operation, was committed before the revision's end."""
        return self._watching().commits_early

    def _read_catalog(self) -> Snapshot:
        catalog = read_snapshot(self._connection)
        self._connection.rollback()
        return catalog

    def _watching(self) -> TransactionWatch:
        assert self._watch is not None  # noqa: S101 - operations and excuses stand in revisions
        return self._watch

    def _judge(self, effects: Iterable[tuple[Effect, int | None]]) -> None:
        file = Path(self._script.path).name
        by = self._judge_of(phase_of(self._script))
        found = [
            Refused(f"{file}:{line}" if line else file, violation)
            for effect, line in effects
            if (violation := judge(self._by_its_first_name(self._with_check(effect, by)), by)) is not None
            and not (effect.code == "changes-default" and self._is_taken(effect, by))
        ]
        if found:
            self._found(found)

    def _by_its_first_name(self, effect: Effect) -> Effect:
        """A table that this run has renamed is judged as the one that was there."""
        known = self._watching().transaction.before
        renamed = {known[key].name: name for key, name in self._relations.items() if key in known}
        return effect._replace(table=renamed.get(effect.table, effect.table))

    def _is_taken(self, effect: Effect, by: Judge) -> bool:
        with self._watching().looking_away():
            return takes_default(self._connection, effect, written(self._by_its_first_name(effect), by))

    def _with_check(self, effect: Effect, by: Judge) -> Effect:
        """If the effect is a CHECK: without columns, unless it takes each row that leaves out what is not written.

        Not if it is about both: an UPDATE of what is written meets a row in which new code has filled the rest.
        """
        if not effect.check:
            return effect
        unwritten = left_out(self._by_its_first_name(effect), by)
        with self._watching().looking_away():
            is_met = unwritten == set(effect.columns) and takes_rows_without(self._connection, effect, unwritten)
        return effect if is_met else effect._replace(columns=())
