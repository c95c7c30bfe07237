"""Operations on columns: add, set the default, widen a text."""

from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.schema import CreateColumn

from app.release.connection import execute_verbatim
from app.release.effects.effect import on_table
from app.release.errors import UnsafeOperation, server_message
from app.release.operations import catalog
from app.release.operations.conflicts import DEFAULT, explain, refuse_other_column
from app.release.operations.identifiers import require_short
from app.release.operations.steps import ALWAYS, Step, alter_table, run_steps
from app.release.sql.dialect import DIALECT, literal, quote

_FILE = text("SELECT pg_relation_filenode('pg_temp.probe'::regclass)".replace("::", r"\:\:"))


def add_column_online(table: str, column: Column[Any]) -> None:
    """Add a column that is nullable or has a constant default, so that inserts of the previous release still work.

    PostgreSQL stores such a default in the catalog and rewrites no row (since 11; manual, "Modifying Tables").

    Args:
        column: as op.add_column takes it, but without constraints and indexes; those have operations of their own.

    SQL:
        ALTER TABLE … ADD COLUMN IF NOT EXISTS …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        COMMENT ON COLUMN … IS …
            Only when the column has a comment. SHARE UPDATE EXCLUSIVE; blocks neither reads nor writes.

    Run again: skipped when the table has this column.

    Raises:
        UnsafeOperation: the column is required without a default, does not take the one it has, would rewrite the
            table, or brings a constraint.
        ReleaseError: the table has a column of this name and another type, default or nullability.
    """
    require_short(column.name)
    if reason := _missing_value(table, column) or _extra_constraint(table, column):
        raise UnsafeOperation(reason)
    if reason := table_rewrite_reason(table, column, catalog.connection()):
        raise UnsafeOperation(reason)
    Table(table, MetaData(), column)  # CreateColumn needs a column that belongs to a table
    definition = str(CreateColumn(column).compile(dialect=DIALECT))
    refuse_other_column(table, column.name, definition)
    add = f"ADD COLUMN IF NOT EXISTS {definition}"
    parameters = catalog.column_parameters(table, column.name)
    steps = [alter_table(table, add, f"SELECT NOT {catalog.HAS_COLUMN}", parameters)]
    if column.comment:
        comment = f"COMMENT ON COLUMN {quote(table)}.{quote(column.name)} IS {literal(column.comment)}"
        steps.append(Step(comment, ALWAYS, {}))
    run_steps(*steps)


def set_default_online(table: str, column: str, default: str | None) -> None:
    """Set or drop the default of a column, for new rows. Existing rows keep what they hold.

    Args:
        default: an SQL expression, such as "false" or "now()"; None: no default.

    SQL:
        ALTER TABLE … ALTER COLUMN … SET DEFAULT … (or DROP DEFAULT)
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: sends the same.
    """
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    explain(table, column, DEFAULT)
    effect = on_table("drops-default" if default is None else "changes-default", table, column)
    effects = [effect._replace(default=default or "", column=column)]
    run_steps(alter_table(table, f"ALTER COLUMN {quote(column)} {action}", ALWAYS, {}), effects=effects)


def table_rewrite_reason(table: str, column: Column[Any], connection: Connection | None) -> str | None:
    """Why adding the column would rewrite the table under ACCESS EXCLUSIVE; None: it would not.

    Args:
        connection: to the server, which is tried; None in --sql mode.
    """
    where = f"{table}.{column.name}"
    if column.computed is not None or column.identity is not None:
        return (
            f"{where} is computed by the database, for which PostgreSQL rewrites the whole table under a lock that"
            " stops every request. Add a plain column and backfill it, or use add_computed_column_online."
        )
    if column.server_default is None or connection is None:
        return None
    try:
        if not _rewrites(column, connection):
            return None
    except (DataError, IntegrityError) as error:
        return f"{where} has a default that it does not take ({server_message(error)}). Give it another one."
    return (
        f"{where} has a default that differs from row to row, for which PostgreSQL rewrites the whole table under a"
        " lock that stops every request. Add it without a default, set_default_online, backfill."
    )


def _rewrites(column: Column[Any], connection: Connection) -> bool:
    """Whether PostgreSQL rewrites an empty table when it adds the column: then it does so with every other too.

    Raises:
        DataError, IntegrityError: a row that leaves the column out is refused.
    """
    plain = Column(column.name, column.type, server_default=column.server_default, nullable=column.nullable)
    Table("probe", MetaData(), plain)  # CreateColumn needs a column that belongs to a table
    definition = str(CreateColumn(plain).compile(dialect=DIALECT))
    with connection.begin_nested() as trial:
        execute_verbatim(connection, "CREATE TEMPORARY TABLE probe ()")
        before = connection.scalar(_FILE)
        execute_verbatim(connection, f"ALTER TABLE pg_temp.probe ADD COLUMN {definition}")
        is_rewritten = bool(connection.scalar(_FILE) != before)
        execute_verbatim(connection, "INSERT INTO pg_temp.probe DEFAULT VALUES")
        trial.rollback()
    return is_rewritten


def _missing_value(table: str, column: Column[Any]) -> str | None:
    if column.nullable or column.server_default is not None or column.identity is not None:
        return None
    return (
        f"{table}.{column.name} is required and has no server_default: rows that are there, and inserts of the release"
        " that is live, would lack a value. Give it a server_default, or add it nullable, backfill it and require it."
    )


def _extra_constraint(table: str, column: Column[Any]) -> str | None:
    if not (column.foreign_keys or column.constraints or column.unique or column.index or column.primary_key):
        return None
    return (
        f"{table}.{column.name} comes with a constraint or an index. Add the plain column, then use"
        " add_foreign_key_online, add_check_online, add_unique_online or create_index_online."
    )
