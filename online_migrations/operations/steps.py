"""Steps: an operation is a list of them, each one statement in a transaction of its own.

A process can die between two steps; the next run asks the catalog which are still needed, and does the rest.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple, cast

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from online_migrations.connection import LOCK_TIMEOUT, connection_of, execute_verbatim
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.guard.effect import Effect
from online_migrations.locks import Deadline, with_lock_retries
from online_migrations.operations.catalog import Question, ask
from online_migrations.sql import alter, quote

# lock_timeout for SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes. An autovacuum holds the same lock, and
# the server cancels it for us after deadlock_timeout (1 s). Only when we hold this lock do we ask for the strong one.
VACUUM_LOCK_TIMEOUT = "2s"


class Step(NamedTuple):
    sql: str  # one statement, or some that succeed or fail together
    needed: Question | None  # None: always, since it does no harm when it runs twice
    tables: tuple[str, ...] = ()  # on which it takes a strong lock: its own, and those that a foreign key refers to
    mode: str = "ACCESS EXCLUSIVE"  # of the strong lock


def strong(tables: str | tuple[str, ...], sql: str, *, when: Question | None = None) -> Step:
    """Return a step that needs a strong lock on tables, for milliseconds, for which it waits only briefly."""
    return Step(sql, when, (tables,) if isinstance(tables, str) else tables)


def online(sql: str, *, when: Question | None = None) -> Step:
    """Return a step that blocks neither reads nor writes, such as CREATE INDEX CONCURRENTLY or VALIDATE CONSTRAINT."""
    return Step(sql, when)


def validate(table: str, constraint: str) -> Step:
    """Look at the rows that were there when a constraint was added NOT VALID."""
    sql = alter(table, f"VALIDATE CONSTRAINT {quote(constraint)}")
    return online(sql, when=ask("is_not_valid", table, constraint=constraint))


def build_index(name: str, create: str) -> tuple[Step, Step]:
    """Build an index by CREATE INDEX CONCURRENTLY, in place of an INVALID one, which a build that failed has left."""
    drop_invalid = f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}"
    return online(drop_invalid, when=ask("has_invalid_index", name)), online(create, when=~ask("has_index", name))


def add_validated(tables: tuple[str, ...], name: str, definition: str, when: Question | None = None) -> list[Step]:
    """Add a constraint in two transactions: in one, the lock of the first would be held while the second reads rows."""
    add = alter(tables[0], f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID")
    lacks = ~ask("has_constraint", tables[0], constraint=name)
    added = Step(add, when & lacks if when else lacks, tables, "SHARE ROW EXCLUSIVE")
    return [added, validate(tables[0], name)]


def run_steps(*steps: Step, effects: Iterable[Effect] = ()) -> None:
    """Run the steps that are needed if the phase allows the effects of all together. In --sql mode, print them all."""
    migration = op.get_context()
    with migration.autocommit_block():
        if migration.as_sql:
            for step in steps:
                around = ["SET lock_timeout = 0", step.sql, f"SET lock_timeout = '{LOCK_TIMEOUT}'"]
                lines = ["BEGIN", *_with_lock_timeouts(step), "COMMIT"] if step.tables else around
                migration.impl.static_output("\n".join(f"{line};" for line in lines))
            return
        with judged(migration, effects):
            with_lock_retries(lambda: _run_needed(migration, steps), deadline_of(migration))


def run_or_undo(*steps: Step, undo: Step, broken: str, effects: Iterable[Effect] = ()) -> None:
    """Run the steps; if a row breaks the rule that they make, undo it, since it refuses new rows, and say so."""
    try:
        run_steps(*steps, effects=effects)
    except IntegrityError as error:
        run_steps(undo)
        raise UnsafeOperation(f"{broken}, then run: flask db upgrade") from error


def judged(migration: MigrationContext, effects: Iterable[Effect] = ()) -> AbstractContextManager[None]:
    """Have the effects of an operation judged, and let it commit by itself."""
    guard = migration.opts.get("guard")  # without one, nothing serves the database
    return cast("AbstractContextManager[None]", guard.operation(*effects)) if guard else nullcontext()


def deadline_of(migration: MigrationContext) -> Deadline:
    return cast("Deadline", migration.opts["deadline"])


def _run_needed(migration: MigrationContext, steps: tuple[Step, ...]) -> None:
    connection, deadline = connection_of(migration), deadline_of(migration)
    for step in steps:
        needed = _is_needed(step, migration.opts.get("schema"))
        if needed is None:
            raise ReleaseError(f"This statement names something that does not exist: {step.sql}")
        if needed and step.tables:
            # As one string, without a round trip under its lock.
            execute_verbatim(connection, "; ".join(_with_lock_timeouts(step, deadline.retries)))
        elif needed:
            execute_verbatim(connection, f"SET statement_timeout = {deadline.milliseconds()}")
            execute_verbatim(connection, "SET lock_timeout = 0")
            try:
                execute_verbatim(connection, step.sql)
            finally:
                execute_verbatim(connection, f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def _is_needed(step: Step, schema: str | None) -> bool | None:
    """Ask if a step is needed; None: what it names does not exist, or only in another schema than in_schema() says."""
    if step.needed is None:
        return True
    name = step.needed.parameters.get("table")
    if schema and name and ask("is_elsewhere", table=name, schema=schema).answer():
        return False if step.sql.startswith("DROP ") else None
    return cast("bool | None", step.needed.answer())


def _with_lock_timeouts(step: Step, attempt: int = 0) -> list[str]:
    """Return the step with the locks before it, of two tables in the other order in each attempt."""
    # Most transactions that write both write first the row that is referred to.
    tables = ", ".join(quote(table) for table in (step.tables if attempt % 2 else reversed(step.tables)))
    both = [f"LOCK TABLE {tables} IN {step.mode} MODE"] if len(step.tables) > 1 else []
    return [
        f"SET LOCAL lock_timeout = '{VACUUM_LOCK_TIMEOUT}'",
        f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE",
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        *both,
        step.sql,
    ]


@contextmanager
def in_schema(name: str) -> Iterator[None]:
    """Put a schema that exists in front of the search_path: the operations in the block find and make things there.

    The table or index that one changes or drops has to stand in it; a foreign key may refer to another one.
    """
    opts = op.get_context().opts
    before, opts["schema"] = opts.get("schema"), name
    run_steps(_search_first(name))
    try:
        yield
    finally:
        opts["schema"] = before
        run_steps(online("RESET search_path"), *([_search_first(before)] if before else []))


def _search_first(schema: str) -> Step:
    front = quote(schema).replace("'", "''")
    return online(f"SELECT set_config('search_path', '{front}, ' || current_setting('search_path'), false)")
