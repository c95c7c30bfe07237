"""Dual writes: a trigger writes one column from the others of its row, whichever release wrote the row.

Old and new code write the same table while a release goes live, and after a rollback. Neither knows what the other
needs. The trigger does, so no row is wrong, not even for a moment. It is the last of the table's triggers and sees what
others made of the row; where a value cannot be converted it writes NULL: it fails nobody's request. PostgreSQL refuses
to drop a column that it needs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, text
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from online_migrations.connection import execute_verbatim
from online_migrations.errors import ReleaseError, UnsafeOperation, server_message
from online_migrations.guard.effect import Effect, on_table
from online_migrations.operations import catalog
from online_migrations.operations.backfill import backfill
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import Question
from online_migrations.operations.column_swap import read_state
from online_migrations.operations.columns import require_value
from online_migrations.operations.names import shorten_identifier
from online_migrations.operations.steps import alter, autocommit, comment_on, run_steps, strong
from online_migrations.sql import DIALECT, literal, quote


def add_computed_column_online(table: str, column: Column[Any], expression: str, *, pk: str = "id") -> None:
    """Add a plain column whose value is always an expression over its row, also where old code writes the row.

    A backfill fills the rows that are there. A GENERATED column would be the same, but PostgreSQL rewrites the table
    for it. stop_dual_write_contract ends it, when all code writes the column itself. Expand.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill.
        expression: SQL over the table's columns. The same row always gives the same value.
        pk: as for backfill.

    Example: add_computed_column_online("notes", sa.Column("words", sa.Integer(), nullable=False), "length(content)")
    SQL: the backfill and VALIDATE CONSTRAINT until the deadline, the others short.
    Run again: another expression replaces the trigger, and the rows are filled again.
    Downgrade: drop_dual_write_contract("notes", "words").
    Raises:
        UnsafeOperation: the server does not understand the expression, or it fails for a row, gives another value each
            time, or NULL for a NOT NULL column; what was added is dropped. Or the column has more than a type.
        ReleaseError: there is a column of this name, which no dual write keeps.
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
    new code uses the new one alone, and each write is in both. When no code uses the old one any more:
    stop_dual_write_contract, then drop_column_contract. Expand.

    A write that changes both is taken for one of the new column, an INSERT without a value there for one of old code.

    Args:
        column: without a default, constraints and indexes. If it is NOT NULL, it becomes so after the backfill.
        forward: SQL over the table's columns that gives the new value, for whatever old code may write.
        back: the reverse. Where the old column is NOT NULL, it must give a value for whatever new code may write.
        pk: as for backfill.

    Example: add_synced_column_online("notes", "title", sa.Column("name", sa.Text()), "upper(title)", "lower(name)")
    SQL: as add_computed_column_online.
    Downgrade: drop_dual_write_contract("notes", "name"). The old column has every write.
    """
    _refuse_more_than_a_type(table, column)
    type_, name = column.type.compile(dialect=DIALECT), str(column.name)
    reads = (old, *_read_by(table, forward, type_))
    _require_back(table, old, name, type_, back)
    write = DualWrite(table, name, _both_ways(table, old, name, forward, back), reads)
    _fill_or_drop(write, column, forward, f"{quote(name)} IS NULL AND ({forward}) IS NOT NULL", pk)


def stop_dual_write_contract(table: str, column: str) -> None:
    """End a dual write and keep the column: all code writes it itself, or none uses the other one any more. Contract.

    Example: stop_dual_write_contract("notes", "words")
    SQL: DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …, short.
    Downgrade: none. The downgrade of the revision that added the column drops it, with or without its trigger.
    """
    refuse_while_filling("stop_dual_write_contract", table=table, column=column)
    effects = [on_table("drops-behaviour", table)._replace(subject=f"the dual write of {table}.{column}")]
    if catalog.is_required(table, column).answer():
        effects.append(on_table("drops-default", table, column)._replace(column=column))
    run_steps(strong(table, "; ".join(_drop_trigger(table, column)), when=_has_trigger(table, column)), effects=effects)


def drop_dual_write_contract(table: str, column: str) -> None:
    """Drop a column that a dual write keeps, with its trigger. Contract.

    Example: drop_dual_write_contract("notes", "words")
    SQL: DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …; DROP COLUMN IF EXISTS …, short; no row is rewritten.
    Downgrade: the operation that added it.
    """
    refuse_while_filling("drop_dual_write_contract", table=table, column=column)
    is_copy = bool(_is_copy(table, column).answer())
    drop_dual_write(table, column, on_table("drops-column", table, column)._replace(is_copied=is_copy))


def drop_dual_write(table: str, column: str, *effects: Effect) -> None:
    """Drop it likewise; without an effect it is not judged, to undo what has just begun."""
    drop = [*_drop_trigger(table, column), alter(table, f"DROP COLUMN IF EXISTS {quote(column)}")]
    is_there = _has_trigger(table, column) | catalog.has_column(table, column)
    run_steps(strong(table, "; ".join(drop), when=is_there), effects=effects)


def _drop_trigger(table: str, column: str) -> list[str]:
    name = quote(trigger_name(table, column))
    return [f"DROP TRIGGER IF EXISTS {name} ON {quote(table)}", f"DROP FUNCTION IF EXISTS {name}()"]


# The triggers of a table fire in the order of their names (manual, CREATE TRIGGER).
TRIGGER_PREFIX = "zz_dual_write"


def trigger_name(table: str, column: str) -> str:
    return shorten_identifier(f"{TRIGGER_PREFIX}_{table}_{column}")


_TRIGGER = "tgrelid = CAST(:table AS regclass) AND tgname = :trigger"


def _has_trigger(table: str, column: str, more: str = "", **parameters: str) -> Question:
    """Ask if the column has a dual write, of which `more` is true."""
    found = f"SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE {_TRIGGER}{more}"
    return Question(f"EXISTS ({found})", {"table": quote(table), "trigger": trigger_name(table, column), **parameters})


def _is_copy(table: str, column: str) -> Question:
    """Ask if the trigger makes the column of others and gives them nothing back: it assigns to this one alone."""
    return Question(
        r"(SELECT count(DISTINCT assigned[1]) = 1 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid,"
        rf" regexp_matches(prosrc, 'NEW\.([^;]*?) :=', 'g') assigned WHERE {_TRIGGER})",
        {"table": quote(table), "trigger": trigger_name(table, column)},
    )


_DUAL_WRITES_ON = text(
    # An argument of a trigger ends with a zero byte.
    "SELECT DISTINCT convert_from(substr(tgargs, 1, length(tgargs) - 1), 'UTF8') FROM pg_attribute a JOIN pg_depend d"
    " ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    " JOIN pg_trigger ON d.classid = 'pg_trigger'::regclass AND d.objid = pg_trigger.oid"
    f" WHERE {catalog.COLUMN} AND starts_with(tgname, :prefix) ORDER BY 1"
)


def dual_writes_on(connection: Connection, table: str, column: str) -> list[str]:
    """Return the columns whose dual writes need this one, or write it. Without it, they would fail every write."""
    return list(connection.scalars(_DUAL_WRITES_ON, catalog.of_column(table, column) | {"prefix": TRIGGER_PREFIX}))


class DualWrite(NamedTuple):
    """Make the trigger that writes a column, and its function, which has the same name."""

    table: str
    column: str
    assignments: str  # PL/pgSQL that sets columns of NEW
    reads: tuple[str, ...] = ()  # the columns that it needs; empty when nobody can tell, in --sql mode

    @property
    def source(self) -> str:
        """Return the function's body."""
        return f"\n#variable_conflict use_column\nBEGIN\n{self.assignments}\n  RETURN NEW;\nEND\n"

    def create_function(self) -> str:
        """Keep the search_path of the migration, so that names mean the same in every session."""
        return (
            f"CREATE OR REPLACE FUNCTION {quote(trigger_name(self.table, self.column))}() RETURNS trigger LANGUAGE"
            f" plpgsql SET search_path FROM CURRENT AS $dual_write${self.source}$dual_write$"
        )

    def create_trigger(self) -> str:
        """Let it depend on the columns, by a WHEN that is always true: PostgreSQL refuses to drop one of them."""
        name, named = quote(trigger_name(self.table, self.column)), dict.fromkeys([*self.reads, self.column])
        condition = " OR ".join(["true", *(f"NEW.{quote(column)} IS NULL" for column in named)])
        return (
            f"CREATE OR REPLACE TRIGGER {name} BEFORE INSERT OR UPDATE ON {quote(self.table)}"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}({literal(self.column)})"
        )


def start(write: DualWrite, definition: str, comment: str | None = None) -> None:
    """Add the column together with its trigger; if the column is there, replace a trigger that does something else."""
    table = write.table
    create = [write.create_function(), write.create_trigger()]
    add = [
        alter(table, f"ADD COLUMN {quote(write.column)} {definition}"),
        *([comment_on(table, write.column, comment)] if comment else []),
        *create,
    ]
    has_column, has_trigger = catalog.has_column(table, write.column), _has_trigger(table, write.column)
    as_wanted = _has_trigger(table, write.column, " AND tgenabled = 'O' AND prosrc = :source", source=write.source)
    added = strong(table, "; ".join(add), unless=has_column)
    if catalog.connection() is None:
        run_steps(added)
        return
    if (has_column & ~has_trigger).answer():
        raise ReleaseError(
            f"{table}.{write.column} is there already, and no dual write keeps it: give the new column another name."
        )
    run_steps(added, strong(table, "; ".join(create), unless=as_wanted))


def assign(table: str, column: str, expression: str, reads: tuple[str, ...] = ()) -> str:
    """Return PL/pgSQL that sets a column of NEW to an expression over the row, or over these columns of it.

    A value that cannot be converted becomes NULL: a dual write must not fail anybody's request.
    """
    values = ", ".join(f"NEW.{quote(name)} AS {quote(name)}" for name in reads) or "NEW.*"
    value = f"NEW.{quote(column)} := (SELECT {expression} FROM (SELECT {values}) AS {quote(table)});"
    return f"  BEGIN {value}\n  EXCEPTION WHEN data_exception THEN NEW.{quote(column)} := NULL; END;"


def _both_ways(table: str, old: str, new: str, forward: str, back: str) -> str:
    """Write the other one of the two than was written. Where they agree already, nothing is written back."""
    to_old, to_new = assign(table, old, back), assign(table, new, forward)
    new_, old_ = quote(new), quote(old)
    return f"""\
  DECLARE agree boolean;
  BEGIN
  BEGIN agree := (SELECT NEW.{new_} IS NOT DISTINCT FROM ({forward}) FROM (SELECT NEW.*) AS {quote(table)});
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


def _fill_or_drop(write: DualWrite, column: Column[Any], expression: str, unfilled: str, pk: str) -> None:
    """Add the column with its trigger, fill it, and require it if the model does; when a row refuses, drop it again."""
    start(write, column.type.compile(dialect=DIALECT), column.comment)
    fails = f"{expression!r} fails for a row of {write.table}"
    instead = (
        f"{write.column} was not added. Give it a value for every row, or fix the rows; then run the command again."
    )
    with taken_back(lambda: drop_dual_write(write.table, write.column), fails, instead):
        backfill(write.table, f"{quote(write.column)} = {expression}", unfilled, pk=pk)
        if not column.nullable:
            require_value(write.table, write.column)


@contextmanager
def taken_back(undo: Callable[[], None], fails: str, instead: str) -> Iterator[None]:
    """Undo what was begun when a row refuses it, and say so."""
    try:
        yield
    except UnsafeOperation:
        undo()
        raise
    except (DataError, IntegrityError) as error:
        undo()
        raise UnsafeOperation(f"{fails} ({server_message(error)}), so {instead}") from error


def differs(value: str, other: str, type_: str) -> str:
    """Return SQL that is true when two values differ. PostgreSQL has no equality for json, so its text counts."""
    if type_.lower() == "json":
        return f"CAST({value} AS text) IS DISTINCT FROM CAST(({other}) AS text)"
    return f"{value} IS DISTINCT FROM ({other})"


_COLUMNS_READ = text(
    "SELECT DISTINCT attname::text FROM pg_depend"
    " JOIN pg_rewrite r ON classid = 'pg_rewrite'::regclass AND objid = r.oid"
    " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
    " WHERE ev_class = 'pg_temp.dual_write_expression'::regclass AND refobjid = CAST(:table AS regclass) ORDER BY 1"
)


def columns_read(connection: Connection, table: str, expression: str, type_: str) -> tuple[str, ...]:
    """Return the columns that an expression reads, as the server understands it. In autocommit mode.

    Nobody looks at a function's body before it runs, and then it would fail the requests. So the expression is tried
    first, in the condition of a view that is rolled back. No aggregate may stand in a condition.
    """
    found = _tried(connection, table, expression, type_)
    _tried(connection, table, expression, type_, "*")  # a trigger gives it a row that has no system columns
    return found


def _tried(connection: Connection, table: str, expression: str, type_: str, columns: str = "") -> tuple[str, ...]:
    """Try an expression over the table, or over a row of these columns, which is what a trigger gives it.

    Return the columns of the table that it reads.
    """
    row = f"(SELECT {columns} FROM {quote(table)}) AS {quote(table)}" if columns else quote(table)
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    try:
        execute_verbatim(
            connection, f"BEGIN; CREATE TEMP VIEW dual_write_expression AS SELECT FROM {row} WHERE {compared}"
        )
        return tuple(connection.scalars(_COLUMNS_READ, {"table": quote(table)}))
    except (ProgrammingError, DataError) as error:
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error
    finally:
        execute_verbatim(connection, "ROLLBACK")


def _read_by(table: str, expression: str, type_: str) -> tuple[str, ...]:
    """Return the columns that an expression reads; in --sql mode nobody can tell."""
    if catalog.connection() is None:
        return ()
    with autocommit() as connection:
        return columns_read(connection, table, expression, type_)


def _require_back(table: str, old: str, new: str, type_: str, back: str) -> None:
    """Try the way back, which reads the new column; that need not be there yet."""
    if catalog.connection() is None:
        return
    with autocommit() as connection:
        is_there = catalog.has_column(table, new).asked(connection)
        columns = "*" if is_there else f"*, CAST(NULL AS {type_}) AS {quote(new)}"
        _tried(connection, table, back, read_state(connection, table, old).type, columns)


def _refuse_more_than_a_type(table: str, column: Column[Any]) -> None:
    """Refuse a default, which no row would ever get, and a constraint or an index."""
    made = column.server_default or column.computed or column.identity
    if made or column.foreign_keys or column.unique or column.index or column.primary_key:
        raise UnsafeOperation(
            f"{table}.{column.name} comes with a default, a constraint or an index. Add it as a type alone, then use"
            " add_check_online, add_foreign_key_online, add_unique_online or create_index_online."
        )
