"""A step: one statement that commits by itself, and the question that tells whether it is still to be done.

A process can die between any two steps. What runs next time asks each question again and does the rest, so an operation
is a list of steps and never needs to know how far it came.
"""

from typing import Any, NamedTuple

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql

from app.release.blockers import Blockers
from app.release.connection import LOCK_TIMEOUT, connection_of
from app.release.deadline import Deadline
from app.release.errors import ReleaseError
from app.release.retry import with_lock_retries

# Waiting for this lock holds up no reader and no writer, so it may take as long as the server needs to send a running
# autovacuum away (deadlock_timeout, 1 s): with 300 ms alone an ALTER gets nowhere until the vacuum is through. Only
# then does the statement ask for its own, stronger lock.
PRELUDE_TIMEOUT = "2s"

DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]  # leaves a % as it is

quote = DIALECT.identifier_preparer.quote

RETIRED = "retired: no code reads or writes it any more; a later release drops it"  # a comment in the database

ALWAYS = "SELECT true"  # `needed` of a step that may as well be done twice


class Step(NamedTuple):
    """
    Args:
        sql: one statement.
        needed: a query of one boolean: whether the step is still to be done.
        parameters: of `needed`.
        alters: the tables that `sql` needs a strong lock on. Without any, the statement blocks nobody while it waits or
            runs (CREATE INDEX CONCURRENTLY, VALIDATE CONSTRAINT), and so may wait.
    """

    sql: str
    needed: str
    parameters: dict[str, Any]
    alters: tuple[str, ...] = ()


def run(*steps: Step) -> None:
    """Do what is still to be done, each step in a transaction of its own; in --sql mode print all.

    Raises:
        StillBlocked: a lock was not to be had before the deadline of the run.
    """
    migration = op.get_context()
    with migration.autocommit_block():
        if migration.as_sql:
            for step in steps:
                migration.impl.static_output(script(step))
            return
        connection, until = connection_of(migration), deadline(migration)
        with_lock_retries(lambda: _run_all(connection, steps, until), until, blockers(migration))


def _run_all(connection: Connection, steps: tuple[Step, ...], until: Deadline) -> None:
    for step in steps:
        needed = connection.scalar(text(step.needed), step.parameters)
        if needed is None:
            raise ReleaseError(f"What it names is not there: {step.sql}")
        if needed:
            _execute(connection, step, until)


def _execute(connection: Connection, step: Step, until: Deadline) -> None:
    if step.alters:
        # Sent as one string the statements are one transaction, with no round trip while the lock is held.
        _send(connection, "; ".join(_locked(step)))
        return
    _send(connection, f"SET statement_timeout = {until.milliseconds()}")
    _send(connection, "SET lock_timeout = 0")
    try:
        _send(connection, step.sql)
    finally:
        _send(connection, f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def _send(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})  # a % is a %


def _locked(step: Step) -> list[str]:
    tables = ", ".join(quote(table) for table in step.alters)
    return [
        f"SET LOCAL lock_timeout = '{PRELUDE_TIMEOUT}'",
        f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        step.sql,
    ]


def script(step: Step) -> str:
    """The step as psql takes it."""
    if step.alters:
        return "\n".join(f"{line};" for line in ["BEGIN", *_locked(step), "COMMIT"])
    return f"SET lock_timeout = 0;\n{step.sql};\nSET lock_timeout = '{LOCK_TIMEOUT}';"


def deadline(migration: MigrationContext) -> Deadline:
    """The deadline of the run; the runner gave it to Alembic to carry."""
    found: Deadline = migration.opts["deadline"]
    return found


def blockers(migration: MigrationContext) -> Blockers:
    found: Blockers = migration.opts["blockers"]
    return found
