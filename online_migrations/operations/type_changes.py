"""Change the type of a column beside the traffic: a shadow column, a dual write, a backfill, a swap of the names.

The shadow of a column whose type changes: its dual write, its swap, and what has to hold before each of them.
"""

from typing import NamedTuple

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from online_migrations.connection import connection_of
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation, server_message
from online_migrations.locks import Deadline
from online_migrations.operations.backfill import backfill
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import HAS_COLUMN, column_parameters
from online_migrations.operations.column_swap import (
    SHADOW_TO_BE,
    ColumnState,
    Swap,
    Uses,
    build_twins,
    canonical_type,
    move_references,
    read_obstacles,
    read_state,
    read_uses,
    recompile_triggers,
)
from online_migrations.operations.dual_writes import (
    DualWrite,
    assign,
    columns_read,
    differs,
    drop_dual_write,
    drop_dual_write_contract,
    start,
    trigger_name,
)
from online_migrations.operations.names import shadow_of
from online_migrations.operations.steps import ALWAYS, Step, run_deadline, run_steps
from online_migrations.sql import literal, quote

SNAPSHOT_POLL = 0.2  # seconds


class TypeChange(NamedTuple):
    """
    Args:
        type: as the revision writes it.
        name: of the type, as the server calls it.
        forth, back: SQL over the column.
    """

    table: str
    column: str
    type: str
    name: str
    forth: str
    back: str
    pk: str

    @property
    def shadow(self) -> str:
        return shadow_of(self.column)

    def dual_write(self, expression: str) -> DualWrite:
        """The trigger that writes the shadow. It names the columns, so it goes on when they swap names."""
        assignment = assign(self.table, self.shadow, expression, (self.column,))
        return DualWrite(self.table, self.shadow, assignment, (self.column,))

    def swap(self, state: ColumnState, uses: Uses, recompile: list[str]) -> Step:
        swap = Swap(self.table, self.column, self.name, state, uses)
        statements = [*swap.statements(), self.dual_write(self.back).create_function(), *recompile]
        parameters = {**column_parameters(self.table, self.column), "type": self.name}
        return Step("; ".join(statements), f"SELECT {_HAS_OTHER_TYPE}", parameters, alters=swap.tables)


def refuse_obstacles(connection: Connection, table: str, column: str) -> None:
    obstacles = read_obstacles(connection, table, column, trigger_name(table, shadow_of(column)))
    if obstacles:
        raise UnsafeOperation(
            f"{', '.join(obstacles)} cannot be carried over to another column, so {table}.{column} stays as it is. Drop"
            " that before and make it again after it, in revisions of their own."
        )


def refuse_other_shadow(connection: Connection, table: str, column: str, new_type: str) -> None:
    """A shadow of another type: of an earlier attempt, whose revision was changed since, or of an earlier change."""
    shadow = shadow_of(column)
    if not connection.scalar(text(f"SELECT {HAS_COLUMN}"), column_parameters(table, shadow)):
        return
    state = read_state(connection, table, shadow)
    if state.type != new_type:
        raise ReleaseError(
            f"{table}.{column} still has the shadow of another change, {shadow} {state.type}. End that one first, in a"
            f" revision of its own: drop_shadow_contract({table!r}, {column!r})"
        )


def refuse_other_columns(connection: Connection, change: TypeChange) -> None:
    """
    Raises:
        UnsafeOperation: the new value is not an expression over the column alone, which is all that the trigger has.
    """
    others = set(columns_read(connection, change.table, change.forth, change.type)) - {change.column}
    if others:
        raise UnsafeOperation(
            f"{change.forth!r} reads {', '.join(sorted(others))} too, so {change.table}.{change.column} stays as it is."
            " Add a column of the new type, with add_synced_column_online."
        )


def require_lossless(connection: Connection, change: TypeChange, old_type: str) -> None:
    """
    Raises:
        UnsafeOperation: a value would not come back from the new type as it was.
    """
    column = quote(change.column)
    both = f"SELECT {column} AS former, {quote(change.shadow)} AS {column} FROM {quote(change.table)}"
    returned = f"CAST({change.back} AS {old_type})"
    # A json may be spelled in many ways; jsonb keeps what it means.
    is_lost = (
        f"{returned} IS NULL AND former IS NOT NULL" if old_type == "json" else differs("former", returned, old_type)
    )
    query = f"SELECT count(*) FROM ({both}) AS {quote(change.table)} WHERE {is_lost}"
    try:
        lost = connection.scalar(text(query.replace(":", r"\:")))
    except ProgrammingError as error:
        raise UnsafeOperation(f"{change.back!r} is not a value for {change.table}: {server_message(error)}") from error
    if lost:
        raise UnsafeOperation(
            f"{lost} values of {change.table}.{change.column} would be lost as {change.type}, so the column stays as it"
            " is. Fix the rows, then run the command again."
        )


def wait_for_older_snapshots(connection: Connection, deadline: Deadline) -> None:
    """A transaction that reads rows as they were before the backfill would find NULL under the column's name.

    CREATE INDEX CONCURRENTLY waits for the same reason.

    Raises:
        DeadlineExceeded: such a transaction did not end in time.
    """
    now = connection.scalar(text("SELECT pg_current_xact_id()::xid::text"))
    while older := connection.execute(_OLDER_SNAPSHOT, {"now": now}).one_or_none():
        if not deadline.left():
            raise DeadlineExceeded(
                f"The deadline of {deadline.seconds:.0f} s passed, waiting for a transaction that reads what was there"
                f" before: pid={older.pid} application={older.application_name}. When it is over, run: flask db upgrade"
            )
        deadline.sleep(SNAPSHOT_POLL)


_OLDER_SNAPSHOT = text(
    "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' AND age(backend_xmin) >= age(CAST(:now AS xid)) ORDER BY xact_start LIMIT 1"
)
_HAS_OTHER_TYPE = (
    "(SELECT format_type(atttypid, atttypmod) <> :type FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)


def change_type_online(
    table: str, column: str, type_: str, *, using: str | None = None, back: str | None = None, pk: str = "id"
) -> None:
    """Change the type of a column to one that the previous release reads and writes as it did the old one.

    A shadow column of the new type, which a trigger keeps right on every write (dual write), is filled in batches and
    given all that stands on the column: NOT NULL, indexes, unique constraints, the primary key, CHECKs, foreign keys
    from and to it. Then the two swap names, default and identity in one short transaction. From then on the trigger
    keeps the shadow, which now has the old type. So the way back is the same operation with the old type: it swaps
    back, and no write is lost. drop_shadow_contract ends it.

    Args:
        type_: SQL, such as "BIGINT".
        using: SQL over the column that gives the new value; CAST(column AS type_) when not given.
        back: SQL over the column that gives the old value from the new one.
        pk: a column that is NOT NULL, unique and ordered, for the backfill.

    SQL, each step in a transaction of its own:
        ALTER TABLE … ADD COLUMN; CREATE FUNCTION; CREATE TRIGGER
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        the backfill, in batches of about 50 ms
        CREATE INDEX CONCURRENTLY; ADD CONSTRAINT … NOT VALID; VALIDATE CONSTRAINT; ANALYZE
            As create_index_online, add_check_online and add_foreign_key_online do it. A foreign key of another table is
            pointed at the shadow, for which both tables are locked for milliseconds.
        the swap: DROP CONSTRAINT and INDEX, RENAME COLUMN, SET NOT NULL, ADD CONSTRAINT … USING INDEX, …
            ACCESS EXCLUSIVE, on tables that foreign keys of the column refer to as well, for milliseconds. Waits at
            most 300 ms, then is retried. Before it, it waits for transactions that see rows as they were before the
            backfill.

    Run again: each step is skipped when its result is there; all of them when the column has the type.

    Raises:
        UnsafeOperation: a value does not fit the new type or does not come back from it; or something stands on the
            column that cannot be carried over, such as a view. What was added is dropped again.
        ReleaseError: the column still has the shadow of another change.
    """
    migration = op.get_context()
    forth = using or f"CAST({quote(column)} AS {type_})"
    change = TypeChange(table, column, type_, type_.lower(), forth, back or quote(column), pk)
    if migration.as_sql:
        _print(change)
        return
    with migration.autocommit_block():
        connection = connection_of(migration)
        state = read_state(connection, table, column)
        change = change._replace(
            name=canonical_type(connection, type_),
            back=back or f"CAST({quote(column)} AS {state.type})",
        )
        if state.type == change.name:
            return
        refuse_obstacles(connection, table, column)
        refuse_other_shadow(connection, table, column, change.name)
        refuse_other_columns(connection, change)
    _fill_or_take_back(change, state)
    _swap(change, state)


def drop_shadow_contract(table: str, column: str) -> None:
    """The contract step of change_type_online: drop the shadow, which holds the old type. There is no way back then.

    SQL, in one transaction:
        DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …; ALTER TABLE … DROP COLUMN IF EXISTS …
            ACCESS EXCLUSIVE, for milliseconds; no row is rewritten. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no shadow.

    Raises:
        UnsafeOperation: a backfill that reads or writes the shadow is not done.
    """
    refuse_while_filling("drop_shadow_contract", table=table, column=column)
    drop_dual_write_contract(table, shadow_of(column))


def _fill_or_take_back(change: TypeChange, state: ColumnState) -> None:
    try:
        _fill(change)
        _complete(change, state)
    except UnsafeOperation:
        _take_back(change)
        raise
    except (DataError, IntegrityError) as error:
        _take_back(change)
        raise UnsafeOperation(
            f"A value of {change.table}.{change.column} cannot become {change.type} ({server_message(error)}), so the"
            " column stays as it is. Fix the rows, then run the command again."
        ) from error


def _fill(change: TypeChange) -> None:
    """Add the shadow, with the trigger that writes it from now on, and fill it."""
    unfilled = differs(quote(change.shadow), change.forth, change.name)
    start(change.dual_write(change.forth), change.type, SHADOW_TO_BE)
    backfill(change.table, f"{quote(change.shadow)} = {change.forth}", unfilled, pk=change.pk)


def _complete(change: TypeChange, state: ColumnState) -> None:
    """Give the shadow all that stands on the column."""
    migration = op.get_context()
    with migration.autocommit_block():
        connection = connection_of(migration)
        require_lossless(connection, change, state.type)
        uses = read_uses(connection, change.table, change.column, change.shadow)
    build_twins(change.table, change.column, state, uses)


def _swap(change: TypeChange, state: ColumnState) -> None:
    migration = op.get_context()
    with migration.autocommit_block():
        uses = read_uses(connection_of(migration), change.table, change.column, change.shadow)
    move_references(uses.references)
    run_steps(Step(f"ANALYZE {quote(change.table)}", ALWAYS, {}))  # queries need statistics of the new column at once
    with migration.autocommit_block():
        connection = connection_of(migration)
        wait_for_older_snapshots(connection, run_deadline(migration))
        recompile = recompile_triggers(connection, change.table)
    run_steps(change.swap(state, uses, recompile))


def _print(change: TypeChange) -> None:
    """For --sql: nobody can look what stands on the column, so the script goes on only when it is nothing."""
    guard = _GUARD.format(table=literal(quote(change.table)), column=literal(change.column))
    run_steps(Step(guard, ALWAYS, {}))
    _fill(change)
    nothing = ColumnState(change.name, False, None, None, None, None, "")
    run_steps(Step(f"ANALYZE {quote(change.table)}", ALWAYS, {}), change.swap(nothing, Uses([], {}, [], []), []))


def _take_back(change: TypeChange) -> None:
    """Drop the shadow that was to be. One that holds the former type stays: it was there before."""
    comment = read_state(connection_of(op.get_context()), change.table, change.shadow).comment
    if comment == SHADOW_TO_BE:
        drop_dual_write(change.table, change.shadow)


_GUARD = (
    "DO $guard$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({table})"
    " AND attname = {column} AND (attnotnull OR EXISTS (SELECT FROM pg_depend WHERE refobjid = attrelid"
    " AND refclassid = 'pg_class'::regclass AND refobjsubid = attnum)))"
    " THEN RAISE EXCEPTION 'More than values stands on this column; change it by: flask db upgrade'; END IF;"
    " END $guard$"
)
