"""Operations on tables of another schema than the one that the search path begins with.

Idempotent steps: one statement each, with a query that tells whether it is still needed.

A process can die between two steps. The next run asks each query again and does the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from online_migrations.connection import LOCK_TIMEOUT, connection_of, execute_verbatim
from online_migrations.errors import ReleaseError
from online_migrations.guard.effect import Effect
from online_migrations.guard.record import ACCESS_EXCLUSIVE
from online_migrations.locks import Blockers, Deadline, with_lock_retries
from online_migrations.sql import quote

# lock_timeout for SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes. An autovacuum holds the same lock. The
# server cancels it for us, but only after deadlock_timeout (1 s). With 300 ms, an ALTER TABLE would fail until the
# vacuum is done. Only when we hold this lock do we ask for the strong one.
VACUUM_LOCK_TIMEOUT = "2s"


_START_CLOCK = "SELECT set_config('release.locked_at', extract(epoch FROM clock_timestamp())::text, true)"
_READ_CLOCK = "SELECT extract(epoch FROM clock_timestamp()) - current_setting('release.locked_at')::numeric"

ALWAYS = "SELECT true"  # `needed` of a step that does no harm when it runs twice


class Step(NamedTuple):
    """
    Args:
        sql: one statement.
        needed: a query with one boolean: whether the step is still needed. NULL: what it names does not exist.
        parameters: of `needed`.
        alters: tables on which `sql` needs a strong lock: its own, and those that a foreign key refers to. Empty for a
            statement that blocks nobody while it waits or runs (CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT); it may
            wait until the deadline.
        mode: of the strong lock.
    """

    sql: str
    needed: str
    parameters: dict[str, Any]
    alters: tuple[str, ...] = ()
    mode: str = "ACCESS EXCLUSIVE"


def alter_table(table: str, action: str, needed: str, parameters: dict[str, Any]) -> Step:
    """A step that sends ALTER TABLE, under a strong lock on the table."""
    return Step(f"ALTER TABLE {quote(table)} {action}", needed, parameters, alters=(table,))


def run_steps(*steps: Step, effects: Iterable[Effect] = ()) -> None:
    """Run the steps that are still needed, each in a transaction of its own. In --sql mode, print them all.

    Args:
        effects: of all steps together, which the revision's phase must allow.

    Raises:
        UnsafeOperation: it does not; nothing was sent.
        DeadlineExceeded: a lock was not to be had before the deadline of the run.
        ReleaseError: a table or column does not exist.
    """
    migration = op.get_context()
    with migration.autocommit_block():
        if migration.as_sql:
            for step in steps:
                migration.impl.static_output(as_script(step))
            return
        with judged(migration, effects):
            connection, attempts = connection_of(migration), count()
            with_lock_retries(
                lambda: _run_needed(connection, steps, migration, next(attempts)),
                run_deadline(migration),
                run_blockers(migration),
            )


@contextmanager
def judged(migration: MigrationContext, effects: Iterable[Effect] = ()) -> Iterator[None]:
    """Have the effects of an operation judged, and let it commit by itself."""
    guard = migration.opts.get("guard")
    if guard is None:  # nothing serves this database
        yield
        return
    with guard.operation(*effects):
        yield


def add_cost(migration: MigrationContext, *, rows: int = 0, locks: Mapping[str, float] | None = None) -> None:
    """Add to what the revision cost.

    Args:
        rows: that were written.
        locks: table: seconds under ACCESS EXCLUSIVE.
    """
    guard = migration.opts.get("guard")
    if guard is not None:
        guard.cost.rows += rows
        for table, seconds in (locks or {}).items():
            guard.cost.add_lock(table, ACCESS_EXCLUSIVE, seconds)


def run_deadline(migration: MigrationContext) -> Deadline:
    """The deadline of the run, which the runner passed through Alembic's options."""
    found: Deadline = migration.opts["deadline"]
    return found


def run_blockers(migration: MigrationContext) -> Blockers:
    """The blocking sessions that the runner watches, passed likewise."""
    found: Blockers = migration.opts["blockers"]
    return found


def as_script(step: Step) -> str:
    """The step as a script for psql."""
    if step.alters:
        return "\n".join(f"{line};" for line in ["BEGIN", *_with_lock_timeouts(step), "COMMIT"])
    return f"SET lock_timeout = 0;\n{step.sql};\nSET lock_timeout = '{LOCK_TIMEOUT}';"


def _run_needed(connection: Connection, steps: tuple[Step, ...], migration: MigrationContext, attempt: int) -> None:
    for step in steps:
        needed = connection.scalar(text(step.needed), step.parameters)
        if needed is None:
            raise ReleaseError(f"What it names is not there: {step.sql}")
        if needed and step.alters:
            add_cost(migration, locks=dict.fromkeys(step.alters, _execute_locked(connection, step, attempt)))
        elif needed:
            _execute(connection, step, run_deadline(migration))


def _execute_locked(connection: Connection, step: Step, attempt: int) -> float:
    """Send a step that needs a strong lock. Sent as one string, its statements are one transaction without a round trip
    while the lock is held.

    Returns:
        the seconds from when the weak lock was held: those of the strong one, and of the wait for it.
    """
    *prepare, statement = _with_lock_timeouts(step, attempt)
    script = "; ".join([*prepare, _START_CLOCK, statement, _READ_CLOCK])
    return float(connection.exec_driver_sql(script, execution_options={"no_parameters": True}).scalar_one())


def _execute(connection: Connection, step: Step, deadline: Deadline) -> None:
    execute_verbatim(connection, f"SET statement_timeout = {deadline.milliseconds()}")
    execute_verbatim(connection, "SET lock_timeout = 0")
    try:
        execute_verbatim(connection, step.sql)
    finally:
        execute_verbatim(connection, f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def _with_lock_timeouts(step: Step, attempt: int = 0) -> list[str]:
    """The step and the locks before it.

    A transaction that writes two tables and we, who lock them in the other order, would wait for each other. Most write
    first the row that is referred to, so its table is locked first. The next attempt takes the other order.
    """
    tables = ", ".join(quote(table) for table in (step.alters if attempt % 2 else reversed(step.alters)))
    strong = [f"LOCK TABLE {tables} IN {step.mode} MODE"] if len(step.alters) > 1 else []
    return [
        f"SET LOCAL lock_timeout = '{VACUUM_LOCK_TIMEOUT}'",
        f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        *strong,
        step.sql,
    ]


@contextmanager
def in_schema(name: str) -> Iterator[None]:
    """Put a schema in front of the search_path, so that the operations in the block find and make things there.

    A table that is not there is looked for where it was before, so a foreign key may refer to one of the default
    schema.

    Args:
        name: of a schema that exists.

    SQL:
        SELECT set_config('search_path', …), and behind the block RESET search_path
            No lock.
    """
    front = quote(name).replace("'", "''")
    put_in_front = f"SELECT set_config('search_path', '{front}, ' || current_setting('search_path'), false)"
    run_steps(Step(put_in_front, ALWAYS, {}))
    try:
        yield
    finally:
        run_steps(Step("RESET search_path", ALWAYS, {}))
