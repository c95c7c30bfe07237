"""Dual writes: a trigger writes one column from the others of its row, whichever release wrote the row.

Old and new code write the same table while a release goes live, and after a rollback. Neither knows what the other
needs; the trigger does. It is the last of the table's triggers and sees what others made of the row. Where a value
cannot be converted it writes NULL: it fails nobody's request. PostgreSQL refuses to drop a column that it needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Column, Connection
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from online_migrations.definitions import empty_copies
from online_migrations.errors import ReleaseError, UnsafeOperation, server_message
from online_migrations.guard.snapshot import Effect, on_table
from online_migrations.operations.backfill import backfill, refuse_while_filling
from online_migrations.operations.catalog import TEXTS, ask, bind
from online_migrations.operations.steps import run_steps, strong
from online_migrations.operations.tables import refuse_more_than_a_type, require_value
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import DIALECT, alter, comment_on, literal, quote, shorten_identifier


def add_computed_column_online(table: str, column: Column[Any], expression: str, *, pk: str = "id") -> None:
    """Add a plain column whose value is always an expression over its row, also where old code writes the row.

    For a GENERATED column PostgreSQL would rewrite the table. stop_dual_write_contract ends it, when all code writes
    the column itself. Expand.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill.
        expression: SQL over the table's columns. The same row always gives the same value.
        pk: as for backfill.

    Example: add_computed_column_online("notes", sa.Column("words", sa.Integer(), nullable=False), "length(content)")
    Run again: another expression replaces the trigger, and the rows are filled again.
    Downgrade: drop_dual_write_contract("notes", "words").
    Raises:
        UnsafeOperation: the expression is none, fails for a row, gives another value each time, or NULL for a NOT NULL
            column; what was added is dropped. Or the column has more than a type.
        ReleaseError: there is a column of this name, which no dual write keeps.
    """
    refuse_more_than_a_type(table, column)
    type_, name = column.type.compile(dialect=DIALECT), str(column.name)
    write = DualWrite(table, name, assign(table, name, expression), columns_read(table, expression, type_))
    _fill_or_drop(write, column, expression, differs(quote(name), expression, type_), pk)


def add_synced_column_online(
    table: str, old: str, column: Column[Any], forward: str, back: str, *, pk: str = "id"
) -> None:
    """Add a column that takes the place of another one, under a new name, and keep both right whichever is written.

    For a new type or form that the previous release cannot read under the old name. A write that changes both is taken
    for one of the new column, an INSERT without a value there for one of old code. When no code uses the old one any
    more: stop_dual_write_contract, then drop_column_contract. Expand.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill.
        forward: SQL over the table's columns that gives the new value, for whatever old code may write.
        back: the reverse. Where the old column is NOT NULL, it must give a value for whatever new code may write.
        pk: as for backfill.

    Example: add_synced_column_online("notes", "title", sa.Column("name", sa.Text()), "upper(title)", "lower(name)")
    Downgrade: drop_dual_write_contract("notes", "name"). The old column has every write.
    """
    refuse_more_than_a_type(table, column)
    type_, name = column.type.compile(dialect=DIALECT), str(column.name)
    reads = (old, *columns_read(table, forward, type_))
    if (connection := bind()) is not None:
        with op.get_context().autocommit_block():
            old_type = ask("type_name", table, column=old).answer()
            if old_type is None:
                raise ReleaseError(f"There is no column {table}.{old}.")
            # The way back reads the new column, which need not be there yet.
            is_there = ask("has_column", table, column=name).answer()
            row = "*" if is_there else f"*, CAST(NULL AS {type_}) AS {quote(name)}"
            tried(connection, table, back, old_type, row)
    names = {"table": quote(table), "old": quote(old), "new": quote(name), "forward": forward}
    to_old, to_new = assign(table, old, back), assign(table, name, forward)
    write = DualWrite(table, name, TEXTS["both_ways"].format(to_old=to_old, to_new=to_new, **names), reads)
    _fill_or_drop(write, column, forward, f"{quote(name)} IS NULL AND ({forward}) IS NOT NULL", pk)


def stop_dual_write_contract(table: str, column: str) -> None:
    """End a dual write and keep the column: all code writes it itself, or none uses the other one any more. Contract.

    Downgrade: none. The downgrade of the revision that added the column drops it, with or without its trigger.
    """
    refuse_while_filling("stop_dual_write_contract", lambda one: one.fills(table, [column]), table, column)
    effects = [on_table("drops-behaviour", table, subject=f"the dual write of {table}.{column}")]
    if ask("is_required", table, column=column).answer():
        effects.append(on_table("drops-default", table, column, column=column))
    has_trigger = ask("has_trigger", table, trigger=trigger_name(table, column))
    run_steps(strong(table, "; ".join(_drop_trigger(table, column)), when=has_trigger), effects=effects)


def drop_dual_write_contract(table: str, column: str) -> None:
    """Drop a column that a dual write keeps, with its trigger. Contract.

    Downgrade: the operation that added it.
    """
    refuse_while_filling("drop_dual_write_contract", lambda one: one.uses(table, column), table, column)
    is_copy = bool(ask("is_copy", table, trigger=trigger_name(table, column)).answer())
    drop_dual_write(table, column, on_table("drops-column", table, column, is_copied=is_copy))


def drop_dual_write(table: str, column: str, *effects: Effect) -> None:
    """Drop it likewise; without an effect it is not judged, to undo what has just begun."""
    drop = [*_drop_trigger(table, column), alter(table, f"DROP COLUMN IF EXISTS {quote(column)}")]
    lacks_trigger = ~ask("has_trigger", table, trigger=trigger_name(table, column))
    lacks_both = lacks_trigger & ~ask("has_column", table, column=column)
    run_steps(strong(table, "; ".join(drop), when=~lacks_both), effects=effects)


def _drop_trigger(table: str, column: str) -> list[str]:
    name = quote(trigger_name(table, column))
    return [f"DROP TRIGGER IF EXISTS {name} ON {quote(table)}", f"DROP FUNCTION IF EXISTS {name}()"]


def trigger_name(table: str, column: str) -> str:
    """Return a late name: the triggers of a table fire in the order of their names (manual, CREATE TRIGGER)."""
    return shorten_identifier(f"zz_dual_write_{table}_{column}")


class DualWrite(NamedTuple):
    """Make the trigger that writes a column, and its function, which has the same name."""

    table: str
    column: str
    assignments: str  # PL/pgSQL that sets columns of NEW
    reads: tuple[str, ...] = ()  # the columns that it needs; empty when nobody can tell, in --sql mode

    @property
    def source(self) -> str:
        return f"\n#variable_conflict use_column\nBEGIN\n{self.assignments}\n  RETURN NEW;\nEND\n"

    def create_function(self) -> str:
        name = quote(trigger_name(self.table, self.column))
        return TEXTS["dual_write_function"].format(name=name, source=self.source)

    def create_trigger(self) -> str:
        name, named = quote(trigger_name(self.table, self.column)), dict.fromkeys([*self.reads, self.column])
        condition = " OR ".join(["true", *(f"NEW.{quote(column)} IS NULL" for column in named)])
        names = {"name": name, "table": quote(self.table), "of": literal(self.column)}
        return TEXTS["dual_write_trigger"].format(condition=condition, **names)


def start(write: DualWrite, definition: str, comment: str | None = None) -> None:
    """Add the column together with its trigger; if the column is there, replace a trigger that does something else."""
    table, create = write.table, [write.create_function(), write.create_trigger()]
    trigger = trigger_name(table, write.column)
    has_column = ask("has_column", table, column=write.column)
    if (has_column & ~ask("has_trigger", table, trigger=trigger)).answer():
        raise ReleaseError(f"{table}.{write.column} is there already, and no dual write keeps it: take another name.")
    told = [] if comment is None else [comment_on(table, write.column, comment)]
    add = [alter(table, f"ADD COLUMN {quote(write.column)} {definition}"), *told, *create]
    steps = [strong(table, "; ".join(add), when=~has_column)]
    if bind() is not None:
        as_wanted = ask("has_trigger_with", table, trigger=trigger, source=write.source)
        steps.append(strong(table, "; ".join(create), when=~as_wanted))
    run_steps(*steps)


def assign(table: str, column: str, expression: str, reads: tuple[str, ...] = ()) -> str:
    """Return PL/pgSQL that sets a column of NEW to an expression over the row, or these columns of it; or to NULL."""
    values = ", ".join(f"NEW.{quote(name)} AS {quote(name)}" for name in reads) or "NEW.*"
    value = f"NEW.{quote(column)} := (SELECT {expression} FROM (SELECT {values}) AS {quote(table)});"
    return f"  BEGIN {value}\n  EXCEPTION WHEN data_exception THEN NEW.{quote(column)} := NULL; END;"


def _fill_or_drop(write: DualWrite, column: Column[Any], expression: str, unfilled: str, pk: str) -> None:
    """Add the column with its trigger, fill it, and require it if the model does; when a row refuses, drop it again."""
    start(write, column.type.compile(dialect=DIALECT), column.comment)
    fails = f"{expression!r} fails for a row of {write.table}"
    instead = f"{write.column} was not added. Fix the rows, or give it a value for each; then run the command again."
    with taken_back(lambda: drop_dual_write(write.table, write.column), fails, instead):
        backfill(write.table, f"{quote(write.column)} = {expression}", unfilled, pk=pk)
        if not column.nullable:
            require_value(write.table, write.column)


@contextmanager
def taken_back(undo: Callable[[], None], fails: str, instead: str) -> Iterator[None]:
    """Undo what was begun when a row refuses it, and say so."""
    try:
        yield
    except (UnsafeOperation, DataError, IntegrityError) as error:
        undo()
        if isinstance(error, UnsafeOperation):
            raise
        raise UnsafeOperation(f"{fails} ({server_message(error)}), so {instead}") from error


def differs(value: str, other: str, type_: str) -> str:
    """Return SQL that is true when two values differ. PostgreSQL has no equality for json, so its text counts."""
    if type_.lower() == "json":
        return f"CAST({value} AS text) IS DISTINCT FROM CAST(({other}) AS text)"
    return f"{value} IS DISTINCT FROM ({other})"


def columns_read(table: str, expression: str, type_: str) -> tuple[str, ...]:
    """Return the columns that an expression reads, as the server understands it; in --sql mode nobody can tell."""
    connection = bind()
    if connection is None:
        return ()
    with op.get_context().autocommit_block():
        found = tried(connection, table, expression, type_)  # in a trigger a mistake would fail the requests
        tried(connection, table, expression, type_, "*")  # a trigger gives it a row that has no system columns
    return found


def tried(connection: Connection, table: str, expression: str, type_: str, columns: str = "") -> tuple[str, ...]:
    """Try an expression over the table, or a row of these columns as a trigger has it; return the columns it reads."""
    row = f"(SELECT {columns} FROM {quote(table)}) AS {quote(table)}" if columns else quote(table)
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    try:
        with empty_copies(connection):
            view = f"CREATE TEMP VIEW dual_write_expression AS SELECT FROM {row} WHERE {compared}"
            execute_verbatim(connection, view)
            return tuple(ask("columns_read", table).listed())
    except (ProgrammingError, DataError) as error:
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error
