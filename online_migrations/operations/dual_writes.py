"""Columns that a dual write keeps: computed from the others of their row, or in step with another column.

SQL expressions over the columns of a row: what they read, and whether the server understands them.

Dual writes: a trigger that writes one column from the others of its row, whichever release wrote the row.

Old and new code write the same table while a release goes live, and after a rollback. Neither knows what the other
needs. A BEFORE trigger on the table does, so no row is wrong, not even for a moment.
"""

from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Column, Connection, text
from sqlalchemy.exc import DataError, ProgrammingError

from online_migrations.connection import connection_of, execute_verbatim
from online_migrations.errors import ReleaseError, UnsafeOperation, server_message
from online_migrations.guard.effect import Effect, on_table
from online_migrations.operations.backfill import backfill
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import HAS_COLUMN, IS_REQUIRED, answer, column_parameters
from online_migrations.operations.column_swap import read_state
from online_migrations.operations.columns import require_value
from online_migrations.operations.names import shorten_identifier
from online_migrations.operations.steps import Step, run_steps
from online_migrations.sql import DIALECT, literal, quote


def differs(value: str, other: str, type_: str) -> str:
    """SQL that is true when two values of a type differ. PostgreSQL has no equality for json, so its text counts."""
    if type_.lower() == "json":
        return f"CAST({value} AS text) IS DISTINCT FROM CAST(({other}) AS text)"
    return f"{value} IS DISTINCT FROM ({other})"


def columns_read(connection: Connection, table: str, expression: str, type_: str) -> tuple[str, ...]:
    """The columns that an expression reads, as the server understands it. In autocommit mode.

    Nobody looks at a function's body before it runs, and then it would fail the requests. So the expression is tried
    first, in the condition of a view that is rolled back. No aggregate may stand in a condition.

    Raises:
        UnsafeOperation: the server does not understand it, or its type does not fit.
    """
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    try:
        execute_verbatim(connection, f"BEGIN; {_VIEW} AS SELECT FROM {quote(table)} WHERE {compared}")
        found = tuple(connection.scalars(_COLUMNS_READ, {"table": quote(table)}))
    except (ProgrammingError, DataError) as error:
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error
    finally:
        execute_verbatim(connection, "ROLLBACK")
    require_expression(connection, table, expression, type_, "*")
    return found


def require_expression(connection: Connection, table: str, expression: str, type_: str, columns: str) -> None:
    """Try an expression over a row of these columns, which is what a trigger gives it. In autocommit mode.

    Raises:
        UnsafeOperation: the server does not understand it, or its type does not fit.
    """
    compared = differs(f"CAST(NULL AS {type_})", expression, type_)
    row = f"(SELECT {columns} FROM {quote(table)}) AS {quote(table)}"
    try:
        execute_verbatim(connection, f"BEGIN; {_VIEW} AS SELECT FROM {row} WHERE {compared}; ROLLBACK")
    except (ProgrammingError, DataError) as error:
        execute_verbatim(connection, "ROLLBACK")
        raise UnsafeOperation(f"{expression!r} is not a value for {table}: {server_message(error)}") from error


_VIEW = "CREATE TEMP VIEW dual_write_expression"
_COLUMNS_READ = text(
    "SELECT DISTINCT attname::text FROM pg_depend"
    " JOIN pg_rewrite r ON classid = 'pg_rewrite'::regclass AND objid = r.oid"
    " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
    " WHERE ev_class = 'pg_temp.dual_write_expression'::regclass AND refobjid = CAST(:table AS regclass) ORDER BY 1"
)


# The triggers of a table fire in the order of their names (manual, CREATE TRIGGER). Last, it sees what others made of
# the row.
TRIGGER_PREFIX = "zz_dual_write"

_HAS_TRIGGER = "EXISTS (SELECT FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass) AND tgname = :trigger)"
# Whether the trigger makes the column of others and gives them nothing back: it assigns to this one alone.
_IS_COPY = (
    r"(SELECT count(DISTINCT assigned[1]) = 1 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid,"
    r" regexp_matches(prosrc, 'NEW\.([^;]*?) :=', 'g') assigned"
    " WHERE tgrelid = CAST(:table AS regclass) AND tgname = :trigger)"
)
_HAS_THIS_TRIGGER = (
    "EXISTS (SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE tgrelid = CAST(:table AS regclass)"
    " AND tgname = :trigger AND tgenabled = 'O' AND prosrc = :source)"
)


class DualWrite(NamedTuple):
    """The trigger that writes a column, and its function, which has the same name.

    Args:
        column: that the trigger writes.
        assignments: PL/pgSQL that sets columns of NEW.
        reads: the columns that `assignments` needs. Empty when nobody can tell, in --sql mode.
    """

    table: str
    column: str
    assignments: str
    reads: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return trigger_name(self.table, self.column)

    @property
    def source(self) -> str:
        """The function's body."""
        return f"\n#variable_conflict use_column\nBEGIN\n{self.assignments}\n  RETURN NEW;\nEND\n"

    def create_function(self) -> str:
        """search_path is that of the migration, so that names in it mean the same in every session."""
        return (
            f"CREATE OR REPLACE FUNCTION {quote(self.name)}() RETURNS trigger LANGUAGE plpgsql"
            f" SET search_path FROM CURRENT AS $dual_write${self.source}$dual_write$"
        )

    def create_trigger(self) -> str:
        """WHEN is always true. It makes the trigger depend on the columns: PostgreSQL refuses to drop one of them."""
        named = dict.fromkeys([*self.reads, self.column])
        condition = " OR ".join(["true", *(f"NEW.{quote(column)} IS NULL" for column in named)])
        return (
            f"CREATE OR REPLACE TRIGGER {quote(self.name)} BEFORE INSERT OR UPDATE ON {quote(self.table)}"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {quote(self.name)}({literal(self.column)})"
        )


def start(write: DualWrite, definition: str, comment: str | None = None) -> None:
    """Add the column together with its trigger. Where the column is there, replace a trigger that does something else.

    Args:
        definition: the type of the column.

    Raises:
        ReleaseError: there is a column of this name, which no dual write keeps.
    """
    table, column = quote(write.table), quote(write.column)
    create = [write.create_function(), write.create_trigger()]
    add = [
        f"ALTER TABLE {table} ADD COLUMN {column} {definition}",
        *([f"COMMENT ON COLUMN {table}.{column} IS {literal(comment)}"] if comment else []),
        *create,
    ]
    of_column = column_parameters(write.table, write.column)
    of_trigger = {"table": table, "trigger": write.name, "source": write.source}
    added = Step("; ".join(add), f"SELECT NOT {HAS_COLUMN}", of_column, alters=(write.table,))
    replaced = Step("; ".join(create), f"SELECT NOT {_HAS_THIS_TRIGGER}", of_trigger, alters=(write.table,))
    migration = op.get_context()
    if migration.as_sql:
        run_steps(added)
        return
    foreign = text(f"SELECT {HAS_COLUMN} AND NOT {_HAS_TRIGGER}")
    if connection_of(migration).scalar(foreign, {**of_column, **of_trigger}):
        raise ReleaseError(f"{write.table}.{write.column} is there already, and no dual write keeps it: name another.")
    run_steps(added, replaced)


def trigger_name(table: str, column: str) -> str:
    return shorten_identifier(f"{TRIGGER_PREFIX}_{table}_{column}")


def assign(table: str, column: str, expression: str, reads: tuple[str, ...] = ()) -> str:
    """PL/pgSQL that sets a column of NEW to an expression over the row, whose columns need no prefix.

    A value that cannot be converted becomes NULL: a dual write must not fail anybody's request.
    """
    value = f"NEW.{quote(column)} := (SELECT {expression} FROM {new_row(table, reads)});"
    return f"  BEGIN {value}\n  EXCEPTION WHEN data_exception THEN NEW.{quote(column)} := NULL; END;"


def new_row(table: str, reads: tuple[str, ...] = ()) -> str:
    """NEW, or these columns of it, as a table of the table's name."""
    values = ", ".join(f"NEW.{quote(name)} AS {quote(name)}" for name in reads) or "NEW.*"
    return f"(SELECT {values}) AS {quote(table)}"


def dual_writes_on(connection: Connection, table: str, column: str) -> list[str]:
    """The columns whose dual writes need this one, or write it. Without it, they would fail every write."""
    return list(connection.scalars(_DUAL_WRITES_ON, {"table": quote(table), "column": column, "like": _LIKE}))


_LIKE = TRIGGER_PREFIX.replace("_", r"\_") + "%"
_DUAL_WRITES_ON = text(
    # An argument of a trigger ends with a zero byte.
    "SELECT DISTINCT convert_from(substr(tgargs, 1, length(tgargs) - 1), 'UTF8') FROM pg_attribute a JOIN pg_depend d"
    " ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    " JOIN pg_trigger ON d.classid = 'pg_trigger'::regclass AND d.objid = pg_trigger.oid AND tgname LIKE :like"
    " WHERE a.attrelid = CAST(:table AS regclass) AND a.attname = :column ORDER BY 1"
)


def stop_dual_write_contract(table: str, column: str) -> None:
    """End a dual write and keep the column: all code writes it itself, or none uses the other one any more.

    SQL, in one transaction:
        DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such trigger.

    Raises:
        UnsafeOperation: a backfill of the column is not done.
    """
    refuse_while_filling("stop_dual_write_contract", table=table, column=column)
    effects = [on_table("drops-behaviour", table)._replace(subject=f"the dual write of {table}.{column}")]
    if answer(IS_REQUIRED, column_parameters(table, column)):
        effects.append(on_table("drops-default", table, column)._replace(column=column))
    run_steps(_drop_step(table, column, [], _HAS_TRIGGER, {}), effects=effects)


def drop_dual_write_contract(table: str, column: str) -> None:
    """Drop a column that a dual write keeps, with its trigger.

    SQL, in one transaction:
        DROP TRIGGER IF EXISTS …; DROP FUNCTION IF EXISTS …; ALTER TABLE … DROP COLUMN IF EXISTS …
            ACCESS EXCLUSIVE, for milliseconds; no row is rewritten. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such column.

    Raises:
        UnsafeOperation: a backfill that reads or writes the column is not done.
    """
    refuse_while_filling("drop_dual_write_contract", table=table, column=column)
    is_copy = answer(_IS_COPY, {"table": quote(table), "trigger": trigger_name(table, column)})
    drop_dual_write(table, column, on_table("drops-column", table, column)._replace(is_copied=bool(is_copy)))


def drop_dual_write(table: str, column: str, *effects: Effect) -> None:
    """The same without a judgement, to undo what has just begun."""
    drop = [f"ALTER TABLE {quote(table)} DROP COLUMN IF EXISTS {quote(column)}"]
    step = _drop_step(table, column, drop, f"{_HAS_TRIGGER} OR {HAS_COLUMN}", {"column": column})
    run_steps(step, effects=effects)


def _drop_step(table: str, column: str, more: list[str], needed: str, parameters: dict[str, Any]) -> Step:
    name = quote(trigger_name(table, column))
    drop = [f"DROP TRIGGER IF EXISTS {name} ON {quote(table)}", f"DROP FUNCTION IF EXISTS {name}()", *more]
    of_trigger = {"table": quote(table), "trigger": trigger_name(table, column), **parameters}
    return Step("; ".join(drop), f"SELECT {needed}", of_trigger, alters=(table,))


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
        is_there = connection.scalar(text(f"SELECT {HAS_COLUMN}"), column_parameters(table, new))
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
