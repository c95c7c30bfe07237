"""Change the type of a column beside the traffic: a shadow column, a dual write, a backfill, a swap of the names."""

from alembic import op
from sqlalchemy.exc import DataError, IntegrityError

from app.release.connection import connection_of
from app.release.errors import UnsafeOperation, server_message
from app.release.operations import column_uses
from app.release.operations.backfill import backfill
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.column_swap import SHADOW_TO_BE, build_twins, move_references
from app.release.operations.column_uses import ColumnState, Uses, read_uses
from app.release.operations.dual_writes import drop_dual_write, drop_dual_write_contract, start
from app.release.operations.identifiers import shadow_of
from app.release.operations.row_expressions import differs
from app.release.operations.shadow_columns import (
    TypeChange,
    refuse_obstacles,
    refuse_other_columns,
    refuse_other_shadow,
    require_lossless,
    wait_for_older_snapshots,
)
from app.release.operations.steps import ALWAYS, Step, run_deadline, run_steps
from app.release.sql.dialect import literal, quote


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
        state = column_uses.read_state(connection, table, column)
        change = change._replace(
            name=column_uses.canonical_type(connection, type_),
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
        recompile = column_uses.recompile_triggers(connection, change.table)
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
    comment = column_uses.read_state(connection_of(op.get_context()), change.table, change.shadow).comment
    if comment == SHADOW_TO_BE:
        drop_dual_write(change.table, change.shadow)


_GUARD = (
    "DO $guard$ BEGIN IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({table})"
    " AND attname = {column} AND (attnotnull OR EXISTS (SELECT FROM pg_depend WHERE refobjid = attrelid"
    " AND refclassid = 'pg_class'::regclass AND refobjsubid = attnum)))"
    " THEN RAISE EXCEPTION 'More than values stands on this column; change it by: flask db upgrade'; END IF;"
    " END $guard$"
)
