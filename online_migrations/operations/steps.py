"""Steps: an operation is a list of them, each one statement in a transaction of its own.

A process can die between two steps; the next run asks the catalog which are still needed, and does the rest.

PostgreSQL builds no index of a partitioned table concurrently, and reads all partitions under one lock for a foreign
key. But where the partitions have the same already, it takes that, and reads no row. So each gets its own first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import starmap
from typing import NamedTuple, cast

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from online_migrations.connection import LOCK_TIMEOUT, connection_of
from online_migrations.definitions import is_any_same
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.guard.snapshot import Effect
from online_migrations.locks import Deadline, with_lock_retries
from online_migrations.operations.catalog import Question, ask
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import alter, quote, shorten_identifier, spare_name

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


class Partition(NamedTuple):
    schema: str | None  # None: that of the whole
    table: str

    def found(self) -> AbstractContextManager[None]:
        return in_schema(self.schema) if self.schema else nullcontext()

    def qualified(self, name: str) -> str:
        return ".".join(map(quote, filter(None, (self.schema, name))))

    def alter(self, action: str) -> str:
        return f"ALTER TABLE {self.qualified(self.table)} {action}"


class Divided(NamedTuple):
    """Hold how the whole and its partitions get an index or a constraint: functions of a table and of a name."""

    define: Callable[[str, str], str]  # CREATE INDEX or ADD CONSTRAINT, which makes it at once
    build: Callable[[str, str], None]  # beside the traffic: an operation
    # SQL on a partition: what was built under the first name is as the whole wants it, under the second one.
    settle: Callable[[Partition, str, str], str]
    referred: tuple[str, ...] = ()  # by a foreign key, which has one name everywhere; an index needs its own

    def name_in(self, part: Partition, name: str) -> str:
        return name if self.referred else shorten_identifier(f"{part.table}_{name}")


def is_partitioned(table: str) -> bool:
    return bool(ask("is_relation", table, kinds="p").answer())


def add_to_partitioned(table: str, name: str, kind: Divided, there: str | None, effects: Sequence[Effect]) -> None:
    """Build it on each partition; then, in a short lock, give it to the whole, which takes what they have."""
    is_index = kind.define(table, name).startswith("CREATE ")
    has_it = ask("has_index", name) if is_index else ask("has_constraint", table, constraint=name)
    is_invalid = not kind.referred and ask("has_invalid_index", name).answer()
    if there is None and has_it.answer() and not is_invalid:
        run_steps(*([validate(table, name)] if kind.referred else []))
        return
    run_steps(effects=effects)  # judged before anything is built
    replaces = there is not None or is_invalid  # then the partitions get theirs under a spare name first
    spare = spare_name(name) if replaces else name
    built = _build_on_each(table, spare, kind)
    settled = [kind.settle(part, kind.name_in(part, spare), kind.name_in(part, name)) for part in built]
    drop = f"DROP INDEX {quote(name)}" if is_index else drop_constraint((table,), name).sql
    sql = [drop if replaces else "", *settled, kind.define(table, name)]
    run_steps(strong((table, *kind.referred), "; ".join(filter(None, sql)), when=None if replaces else ~has_it))


def _build_on_each(table: str, name: str, kind: Divided) -> list[Partition]:
    """Build it on each partition that lacks it, also on one that is attached meanwhile; or else on none."""
    done: list[Partition] = []
    built: list[Partition] = []
    connection, parts = connection_of(op.get_context()), ask("partitions", table)
    try:
        while part := next((one for one in starmap(Partition, parts.rows(connection).all()) if one not in done), None):
            done.append(part)
            with part.found():
                if not _has_same(part.table, kind.name_in(part, name), kind):
                    built.append(part)
                    kind.build(part.table, kind.name_in(part, name))
    except UnsafeOperation:
        for part in built:
            with part.found():
                own = kind.name_in(part, name)
                run_steps(drop_constraint((part.table, *kind.referred), own) if kind.referred else drop_index(own))
        raise
    return built


def _has_same(table: str, name: str, kind: Divided) -> bool:
    """Tell if a partition has the same under another name, and not as a part of something of the whole."""
    names = {*ask("unattached", table).listed()} - {name}
    wanted = (name, kind.define(table, name), *kind.referred)
    return bool(names) and is_any_same(connection_of(op.get_context()), table, names, *wanted)


def require_partition_key(connection: Connection | None, table: str, columns: Sequence[str]) -> None:
    """Refuse columns that nothing can keep unique in all partitions together, before anything is changed."""
    keys = ask("partition_keys", table).rows(connection).scalars() if connection else ()
    if lacking := [key or "an expression" for key in keys if key not in columns]:
        raise UnsafeOperation(
            f"{table} is partitioned by {', '.join(lacking)}, and each partition has an index of its own, so PostgreSQL"
            f" cannot keep {', '.join(columns)} unique in all of them. Put the partition key into it:"
            f" {', '.join([*columns, *lacking])}."
        )


def drop_constraint(tables: tuple[str, ...], name: str) -> Step:
    sql = alter(tables[0], f"DROP CONSTRAINT IF EXISTS {quote(name)}")
    return strong(tables, sql, when=ask("has_constraint", tables[0], constraint=name))


def drop_index(name: str) -> Step:
    is_there, partitioned = ask("has_index", name), ask("partitioned_table", name).answer()
    if partitioned is not None:  # it goes with those of the partitions, for which there is only a short lock
        return strong(partitioned, f"DROP INDEX IF EXISTS {quote(name)}", when=is_there)
    return online(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", when=is_there)
