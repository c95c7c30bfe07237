"""Dual writes: a trigger that writes one column from the others of its row, whichever release wrote the row.

Old and new code write the same table while a release goes live, and after a rollback. Neither knows what the other
needs. A BEFORE trigger on the table does, so no row is wrong, not even for a moment.
"""

from typing import Any, NamedTuple

from alembic import op
from sqlalchemy import Connection, text

from app.release.connection import connection_of
from app.release.effects.effect import Effect, on_table
from app.release.errors import ReleaseError
from app.release.operations import catalog
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.identifiers import shorten_identifier
from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import literal, quote

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
    of_column = catalog.column_parameters(write.table, write.column)
    of_trigger = {"table": table, "trigger": write.name, "source": write.source}
    added = Step("; ".join(add), f"SELECT NOT {catalog.HAS_COLUMN}", of_column, alters=(write.table,))
    replaced = Step("; ".join(create), f"SELECT NOT {_HAS_THIS_TRIGGER}", of_trigger, alters=(write.table,))
    migration = op.get_context()
    if migration.as_sql:
        run_steps(added)
        return
    foreign = text(f"SELECT {catalog.HAS_COLUMN} AND NOT {_HAS_TRIGGER}")
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
    if catalog.answer(catalog.IS_REQUIRED, catalog.column_parameters(table, column)):
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
    is_copy = catalog.answer(_IS_COPY, {"table": quote(table), "trigger": trigger_name(table, column)})
    drop_dual_write(table, column, on_table("drops-column", table, column)._replace(is_copied=bool(is_copy)))


def drop_dual_write(table: str, column: str, *effects: Effect) -> None:
    """The same without a judgement, to undo what has just begun."""
    drop = [f"ALTER TABLE {quote(table)} DROP COLUMN IF EXISTS {quote(column)}"]
    step = _drop_step(table, column, drop, f"{_HAS_TRIGGER} OR {catalog.HAS_COLUMN}", {"column": column})
    run_steps(step, effects=effects)


def _drop_step(table: str, column: str, more: list[str], needed: str, parameters: dict[str, Any]) -> Step:
    name = quote(trigger_name(table, column))
    drop = [f"DROP TRIGGER IF EXISTS {name} ON {quote(table)}", f"DROP FUNCTION IF EXISTS {name}()", *more]
    of_trigger = {"table": quote(table), "trigger": trigger_name(table, column), **parameters}
    return Step("; ".join(drop), f"SELECT {needed}", of_trigger, alters=(table,))
