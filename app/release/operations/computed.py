"""Columns that a dual write keeps: computed from the others of their row, or in step with another column."""

from typing import Any

from alembic import op
from sqlalchemy import Column, text
from sqlalchemy.exc import DataError

from app.release.connection import connection_of
from app.release.errors import UnsafeOperation, server_message
from app.release.operations import catalog
from app.release.operations.backfill import backfill
from app.release.operations.column_uses import read_state
from app.release.operations.dual_writes import DualWrite, assign, drop_dual_write, new_row, start
from app.release.operations.not_null import require_value
from app.release.operations.row_expressions import columns_read, differs, require_expression
from app.release.sql.dialect import DIALECT, quote


def add_computed_column_online(table: str, column: Column[Any], expression: str, *, pk: str = "id") -> None:
    """Add a plain column whose value is always an expression over its row, also where old code writes the row.

    A trigger writes it on every INSERT and UPDATE (dual write); a backfill fills the rows that are there. A GENERATED
    column would be the same, but PostgreSQL rewrites the table for it. stop_dual_write_contract ends it, when all code
    writes the column itself.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill.
        expression: SQL over the table's columns, such as "length(content)". The same row always gives the same value.
        pk: a column that is NOT NULL, unique and ordered, for the backfill.

    SQL, each step in a transaction of its own:
        ALTER TABLE … ADD COLUMN …; CREATE FUNCTION …; CREATE TRIGGER …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        the backfill, in batches of about 50 ms; what set_not_null_online sends

    Run again: each step is skipped when its result is there.

    Raises:
        UnsafeOperation: the expression is none over the table, or gives NULL for a NOT NULL column. The column is
            dropped again.
        ReleaseError: there is a column of this name.
    """
    _refuse_more_than_a_type(table, column)
    type_, name = column.type.compile(dialect=DIALECT), str(column.name)
    reads = _read_by(table, expression, type_)
    write = DualWrite(table, name, assign(table, name, expression), reads)
    _fill_or_drop(write, column, expression, differs(quote(name), expression, type_), pk)


def add_synced_column_online(
    table: str, old: str, column: Column[Any], forward: str, back: str, *, pk: str = "id"
) -> None:
    """Add a column that takes the place of another one, under a new name, and keep both right whichever is written.

    For a new type or form that the previous release cannot read under the old name. It goes on with the old column, the
    new code uses the new one alone, and a trigger carries each write over to the other (dual write). When no code uses
    the old one any more: stop_dual_write_contract, then drop_column_contract.

    A write that changes both is taken for one of the new column. An UPDATE that changes neither leaves both as they
    are. An INSERT by new code has a value in the new column; one without is taken for one of old code.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill, and
            `forward` must give a value for whatever old code may write.
        forward: SQL over the table's columns that gives the new value from the old one.
        back: the reverse. Where the old column is NOT NULL, it must give a value for whatever new code may write.
        pk: a column that is NOT NULL, unique and ordered, for the backfill.

    SQL, locks and what is done when it is run again: as add_computed_column_online.

    Raises:
        UnsafeOperation: `forward` or `back` is not an expression over the table, or is NULL for a NOT NULL column. The
            column is dropped again.
        ReleaseError: there is a column of this name.
    """
    _refuse_more_than_a_type(table, column)
    type_, name = column.type.compile(dialect=DIALECT), str(column.name)
    reads = (old, *_read_by(table, forward, type_))
    _require_back(table, old, name, type_, back)
    write = DualWrite(table, name, _both_ways(table, old, name, forward, back), reads)
    _fill_or_drop(write, column, forward, f"{quote(name)} IS NULL AND ({forward}) IS NOT NULL", pk)


def _fill_or_drop(write: DualWrite, column: Column[Any], expression: str, unfilled: str, pk: str) -> None:
    """Add the column with its trigger, fill it, and require it if the model does; when a row refuses, drop it again."""
    start(write, column.type.compile(dialect=DIALECT), column.comment)
    try:
        backfill(write.table, f"{quote(write.column)} = {expression}", unfilled, pk=pk)
        if not column.nullable:
            require_value(write.table, write.column)
    except UnsafeOperation:
        drop_dual_write(write.table, write.column)
        raise
    except DataError as error:
        drop_dual_write(write.table, write.column)
        raise UnsafeOperation(
            f"{expression!r} fails for a row of {write.table} ({server_message(error)}), so {write.column} was not"
            " added. Give it a value for every row, or fix the rows; then run the command again."
        ) from error


def _both_ways(table: str, old: str, new: str, forward: str, back: str) -> str:
    """Which of the two was written tells the direction. Where they agree already, nothing is written back."""
    to_old, to_new = assign(table, old, back), assign(table, new, forward)
    new_, old_ = quote(new), quote(old)
    return f"""\
  DECLARE agree boolean;
  BEGIN
  BEGIN agree := (SELECT NEW.{new_} IS NOT DISTINCT FROM ({forward}) FROM {new_row(table)});
  EXCEPTION WHEN data_exception THEN agree := false; END;
  IF TG_OP = 'INSERT' AND NEW.{new_} IS NULL THEN
{to_new}
  ELSIF TG_OP = 'INSERT' OR NEW.{new_} IS DISTINCT FROM OLD.{new_} THEN
  IF NOT agree THEN
{to_old}
  END IF;
  ELSIF NEW.{old_} IS DISTINCT FROM OLD.{old_} THEN
{to_new}
  END IF;
  END;"""


def _read_by(table: str, expression: str, type_: str) -> tuple[str, ...]:
    """The columns that an expression reads; in --sql mode nobody can tell."""
    migration = op.get_context()
    if migration.as_sql:
        return ()
    with migration.autocommit_block():
        return columns_read(connection_of(migration), table, expression, type_)


def _require_back(table: str, old: str, new: str, type_: str, back: str) -> None:
    """The way back reads the new column, which need not be there yet."""
    migration = op.get_context()
    if migration.as_sql:
        return
    with migration.autocommit_block():
        connection = connection_of(migration)
        is_there = connection.scalar(text(f"SELECT {catalog.HAS_COLUMN}"), catalog.column_parameters(table, new))
        columns = "*" if is_there else f"*, CAST(NULL AS {type_}) AS {quote(new)}"
        require_expression(connection, table, back, read_state(connection, table, old).type, columns)


def _refuse_more_than_a_type(table: str, column: Column[Any]) -> None:
    """
    Raises:
        UnsafeOperation: the column has a default, which no row would ever get, or brings a constraint or an index.
    """
    made = column.server_default or column.computed or column.identity
    if made or column.foreign_keys or column.unique or column.index or column.primary_key:
        raise UnsafeOperation(
            f"{table}.{column.name} comes with a default, a constraint or an index. Add it as a type alone, then use"
            " add_check_online, add_foreign_key_online, add_unique_online or create_index_online."
        )
