"""Change the type of a column beside the traffic: a shadow column, a dual write, a backfill, a swap of the names."""

from typing import NamedTuple

from alembic import op
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from online_migrations.connection import connection_of
from online_migrations.errors import DeadlineExceeded, ReleaseError, UnsafeOperation, server_message
from online_migrations.locks import Deadline
from online_migrations.operations import catalog, column_swap, dual_writes
from online_migrations.operations.backfill import backfill
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.column_swap import SHADOW_TO_BE, ColumnState, Swap, Uses
from online_migrations.operations.dual_writes import DualWrite, differs
from online_migrations.operations.names import shadow_of
from online_migrations.operations.steps import Step, autocommit, limits, online, run_steps, strong
from online_migrations.sql import literal, quote

SNAPSHOT_POLL = 0.2  # seconds


def change_type_online(
    table: str, column: str, type_: str, *, using: str | None = None, back: str | None = None, pk: str = "id"
) -> None:
    """Change the type of a column to one that the previous release reads and writes as it did the old one. Expand.

    A shadow column of the new type, COLUMN_shadow, which a trigger keeps right (dual write), is filled in batches and
    given all that stands on the column: NOT NULL, indexes, keys, CHECKs, foreign keys from and to it. Then the two swap
    names, default and identity in one short transaction, and the trigger keeps the shadow, which now has the old type.
    So the same operation with the old type swaps back, and no write is lost. drop_shadow_contract ends it.

    Args:
        type_: SQL, such as "BIGINT".
        using: SQL over the column that gives the new value; CAST(column AS type_) when not given.
        back: SQL over the column that gives the old value from the new one.
        pk: as for backfill.

    Example: change_type_online("notes", "version", "BIGINT")
    SQL: the backfill, CREATE INDEX CONCURRENTLY and VALIDATE CONSTRAINT until the deadline, the others short. The swap
        locks the table, and those that foreign keys of the column refer to; before it, it waits for transactions that
        see rows as they were before the backfill. The script for --sql is for a column on which nothing stands.
    Downgrade: change_type_online with the old type, then drop_shadow_contract.
    Raises:
        UnsafeOperation: a value does not fit the new type or does not come back from it; or something stands on the
            column that cannot be carried over: a view, a generated column, an EXCLUDE, a policy, statistics,
            privileges, another trigger's condition, partitions. What was added is dropped again.
        ReleaseError: the column still has the shadow of another change.
    """
    forth = using or f"CAST({quote(column)} AS {type_})"
    change = TypeChange(table, column, type_, type_.lower(), forth, back or quote(column), pk)
    if catalog.connection() is None:
        _print(change)
        return
    with autocommit() as connection:
        state = column_swap.read_state(connection, table, column)
        name = column_swap.canonical_type(connection, type_)
        if state.type == name:
            return
        change = change._replace(name=name, back=back or f"CAST({quote(column)} AS {state.type})")
        _refuse_obstacles(connection, change)
        _refuse_other_shadow(connection, change)
        _refuse_other_columns(connection, change)
    fails = f"A value of {table}.{column} cannot become {type_}"
    instead = "the column stays as it is. Fix the rows, then run the command again."
    with dual_writes.taken_back(lambda: _take_back(change), fails, instead):
        _fill(change)
        _complete(change, state)
    _swap(change, state)


def drop_shadow_contract(table: str, column: str) -> None:
    """Drop the shadow of change_type_online, which holds the old type. There is no way back then. Contract.

    flask db migrate writes it when nothing else changed.

    Example: drop_shadow_contract("notes", "version")
    SQL: DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …; DROP COLUMN IF EXISTS …, short; no row is rewritten.
    Downgrade: none; change_type_online with the old type creates the shadow again.
    """
    refuse_while_filling("drop_shadow_contract", table=table, column=column)
    dual_writes.drop_dual_write_contract(table, shadow_of(column))


class TypeChange(NamedTuple):
    table: str
    column: str
    type: str  # as the revision writes it
    name: str  # of the type, as the server calls it
    forth: str  # SQL over the column, as is `back`
    back: str
    pk: str

    @property
    def shadow(self) -> str:
        return shadow_of(self.column)

    def dual_write(self, expression: str) -> DualWrite:
        """Return the trigger that writes the shadow. It names the columns, so it goes on when they swap names."""
        assignment = dual_writes.assign(self.table, self.shadow, expression, (self.column,))
        return DualWrite(self.table, self.shadow, assignment, (self.column,))

    def swap(self, state: ColumnState, uses: Uses, recompile: list[str]) -> Step:
        swap = Swap(self.table, self.column, self.name, state, uses)
        statements = [*swap.statements(), self.dual_write(self.back).create_function(), *recompile]
        has_type = catalog.has_type(self.table, self.column, self.name)
        return strong(swap.tables, "; ".join(statements), unless=has_type)


def _fill(change: TypeChange) -> None:
    """Add the shadow, with the trigger that writes it from now on, and fill it."""
    unfilled = differs(quote(change.shadow), change.forth, change.name)
    dual_writes.start(change.dual_write(change.forth), change.type, SHADOW_TO_BE)
    backfill(change.table, f"{quote(change.shadow)} = {change.forth}", unfilled, pk=change.pk)


def _complete(change: TypeChange, state: ColumnState) -> None:
    """Give the shadow all that stands on the column."""
    with autocommit() as connection:
        _require_lossless(connection, change, state.type)
        uses = column_swap.read_uses(connection, change.table, change.column, change.shadow)
    column_swap.build_twins(change.table, change.column, state, uses)


def _swap(change: TypeChange, state: ColumnState) -> None:
    with autocommit() as connection:
        uses = column_swap.read_uses(connection, change.table, change.column, change.shadow)
    column_swap.move_references(uses.references)
    run_steps(online(f"ANALYZE {quote(change.table)}"))  # queries need statistics of the new column at once
    with autocommit() as connection:
        _wait_for_older_snapshots(connection, limits(op.get_context())[0])
        recompile = column_swap.recompile_triggers(connection, change.table)
    run_steps(change.swap(state, uses, recompile))


_GUARD = (
    "DO $guard$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({table})"
    " AND attname = {column} AND (attnotnull OR EXISTS (SELECT FROM pg_depend WHERE refobjid = attrelid"
    " AND refclassid = 'pg_class'::regclass AND refobjsubid = attnum)))"
    " THEN RAISE EXCEPTION 'More than values stands on this column; change it by: flask db upgrade'; END IF;"
    " END $guard$"
)


def _print(change: TypeChange) -> None:
    """Print it for --sql: nobody can look what stands on the column, so the script goes on only when it is nothing."""
    run_steps(online(_GUARD.format(table=literal(quote(change.table)), column=literal(change.column))))
    _fill(change)
    nothing = ColumnState(change.name, False, None, None, None, None, "")
    run_steps(online(f"ANALYZE {quote(change.table)}"), change.swap(nothing, Uses([], {}, [], []), []))


def _take_back(change: TypeChange) -> None:
    """Drop the shadow that was to be. One that holds the former type stays: it was there before."""
    state = column_swap.read_state(connection_of(op.get_context()), change.table, change.shadow)
    if state.comment == SHADOW_TO_BE:
        dual_writes.drop_dual_write(change.table, change.shadow)


def _refuse_obstacles(connection: Connection, change: TypeChange) -> None:
    own_trigger = dual_writes.trigger_name(change.table, change.shadow)
    obstacles = column_swap.read_obstacles(connection, change.table, change.column, own_trigger)
    if obstacles:
        raise UnsafeOperation(
            f"{', '.join(obstacles)} cannot be carried over to another column, so {change.table}.{change.column} stays"
            " as it is. Drop that before and make it again after it, in revisions of their own."
        )


def _refuse_other_shadow(connection: Connection, change: TypeChange) -> None:
    """Refuse a shadow of another type: of an attempt whose revision was changed since, or of an earlier change."""
    if not catalog.has_column(change.table, change.shadow).asked(connection):
        return
    state = column_swap.read_state(connection, change.table, change.shadow)
    if state.type != change.name:
        raise ReleaseError(
            f"{change.table}.{change.column} still has the shadow of another change, {change.shadow} {state.type}. End"
            f" that one first, in a revision of its own: drop_shadow_contract({change.table!r}, {change.column!r})"
        )


def _refuse_other_columns(connection: Connection, change: TypeChange) -> None:
    """Refuse a new value that is not an expression over the column alone, which is all that the trigger has."""
    others = {*dual_writes.columns_read(connection, change.table, change.forth, change.type)} - {change.column}
    if others:
        raise UnsafeOperation(
            f"{change.forth!r} reads {', '.join(sorted(others))} too, so {change.table}.{change.column} stays as it is."
            " Add a column of the new type, with add_synced_column_online."
        )


def _require_lossless(connection: Connection, change: TypeChange, old_type: str) -> None:
    """Refuse when a value would not come back from the new type as it was."""
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


_OLDER_SNAPSHOT = text(
    "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' AND age(backend_xmin) >= age(CAST(:now AS xid)) ORDER BY xact_start LIMIT 1"
)


def _wait_for_older_snapshots(connection: Connection, deadline: Deadline) -> None:
    """Wait for transactions that read rows as they were before the backfill: they would find NULL under the column's
    name. CREATE INDEX CONCURRENTLY waits for the same reason.
    """
    now = connection.scalar(text("SELECT pg_current_xact_id()::xid::text"))
    while older := connection.execute(_OLDER_SNAPSHOT, {"now": now}).one_or_none():
        if not deadline.left():
            raise DeadlineExceeded(
                f"The deadline of {deadline.seconds:.0f} s passed, waiting for a transaction that reads what was there"
                f" before: pid={older.pid} application={older.application_name}. When it is over, run: flask db upgrade"
            )
        deadline.sleep(SNAPSHOT_POLL)
