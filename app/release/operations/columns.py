"""Adding, requiring, retiring and dropping a column."""

import re
from typing import Any

from alembic import op
from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.schema import CreateColumn

from app.release.connection import connection_of
from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.steps import ALWAYS, DIALECT, RETIRED, Step, quote, run

_VOLATILE = text(
    "SELECT string_agg(DISTINCT proname, ', ') FROM pg_proc WHERE provolatile = 'v' AND proname = ANY (:names)"
)


def add_column_online(table: str, column: Column[Any]) -> None:
    """Add a column that the release that is live need not fill: a nullable one, or one with a constant default.

    PostgreSQL notes such a default in the catalog and touches no row (since 11; manual, "Modifying Tables").

    Args:
        column: as op.add_column takes it, without constraints and indexes; those have operations of their own.

    Raises:
        UnsafeOperation: the table would be rewritten, or rows and inserts would lack a value.
    """
    if reason := _lacking_a_value(table, column) or _with_more(table, column):
        raise UnsafeOperation(reason)
    migration = op.get_context()
    if reason := rewriting(table, column, None if migration.as_sql else connection_of(migration)):
        raise UnsafeOperation(reason)
    Table(table, MetaData(), column)
    definition = str(CreateColumn(column).compile(dialect=DIALECT))
    names = _names(table, column.name)
    add = f"ALTER TABLE {quote(table)} ADD COLUMN IF NOT EXISTS {definition}"
    steps = [Step(add, f"SELECT NOT {catalog.HAS_COLUMN}", names, alters=(table,))]
    if column.comment:
        text_of_it = column.comment.replace("'", "''")
        steps.append(Step(f"COMMENT ON COLUMN {quote(table)}.{quote(column.name)} IS '{text_of_it}'", ALWAYS, {}))
    run(*steps)


def _lacking_a_value(table: str, column: Column[Any]) -> str | None:
    if column.nullable or column.server_default is not None or column.identity is not None:
        return None
    return (
        f"{table}.{column.name} is required and has no server_default: rows that are there, and inserts of the release"
        " that is live, would lack a value. Give it a server_default, or add it nullable, backfill it and require it."
    )


def _with_more(table: str, column: Column[Any]) -> str | None:
    if not (column.foreign_keys or column.unique or column.index or column.primary_key):
        return None
    return (
        f"{table}.{column.name} comes with a constraint or an index. Add the plain column, then use"
        " add_foreign_key_online, add_unique_online or create_index_online."
    )


def rewriting(table: str, column: Column[Any], connection: Connection | None) -> str | None:
    """Why adding a column would rewrite the table under a lock that stops every request, if it would.

    Args:
        connection: of the server that knows which functions are volatile; None in --sql mode, where no server is.
    """
    where = f"{table}.{column.name}"
    if column.computed is not None or column.identity is not None:
        return (
            f"{where} is computed by the database, for which PostgreSQL rewrites the whole table under a lock that"
            " stops every request. Add a plain column and backfill it."
        )
    default = str(getattr(column.server_default, "arg", ""))
    names = [name.lower() for name in re.findall(r"(\w+)\s*\(", default)]
    volatile = connection.scalar(_VOLATILE, {"names": names}) if connection is not None and names else None
    if volatile is None:
        return None
    return (
        f"{where} has a default that differs from row to row ({volatile}), for which PostgreSQL rewrites the whole"
        " table under a lock that stops every request. Add it without a default, set_default_online, backfill."
    )


def set_default_online(table: str, column: str, default: str | None) -> None:
    """Set or drop the default of new rows; rows that are there keep what they hold.

    Args:
        default: an SQL expression, such as "false" or "now()"; None for no default.
    """
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    run(
        Step(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} {action}",
            ALWAYS,
            {},
            alters=(table,),
        )
    )


def widen_text_online(table: str, column: str, type_: str) -> None:
    """Let a text be longer, which PostgreSQL notes in the catalog (manual, ALTER TABLE, "Notes"): no row is touched.

    Args:
        type_: "TEXT", or "VARCHAR(n)" with an n that is no smaller than before.

    Raises:
        UnsafeOperation: it is smaller, for which every row would be read under a lock that stops every request.
    """
    _refuse_shorter(table, column, type_)
    run(
        Step(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} TYPE {type_}",
            f"SELECT {catalog.HAS_ANOTHER_TYPE}",
            {**_names(table, column), "type": type_},
            alters=(table,),
        )
    )


def retire_column_online(table: str, column: str) -> None:
    """The first half of dropping a column: the code stops using it, while the release before still does.

    New code inserts rows without it, so it must not be required. The comment keeps it out of `flask db check`, and lets
    `flask db migrate` drop it once nothing else is to be done.
    """
    run(
        Step(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} DROP NOT NULL",
            f"SELECT {catalog.MUST_BE_GIVEN}",
            _names(table, column),
            alters=(table,),
        ),
        Step(
            f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS '{RETIRED}'",
            ALWAYS,
            {},
        ),
    )


def reinstate_column_online(table: str, column: str) -> None:
    """Undo retire_column_online; whether the column is required is another question."""
    comment = f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS NULL"
    run(Step(comment, f"SELECT {catalog.HAS_COLUMN}", _names(table, column)))


def drop_column_contract(table: str, column: str) -> None:
    """The second half, in a later release: drop a column that not even the release that is live uses any more."""
    run(
        Step(
            f"ALTER TABLE {quote(table)} DROP COLUMN IF EXISTS {quote(column)}",
            f"SELECT {catalog.HAS_COLUMN}",
            _names(table, column),
            alters=(table,),
        )
    )


def _refuse_shorter(table: str, column: str, type_: str) -> None:
    migration = op.get_context()
    if migration.as_sql:
        return
    new = re.fullmatch(r"VARCHAR\((\d+)\)", type_.upper())
    old = connection_of(migration).scalar(text(f"SELECT {catalog.TEXT_LENGTH}"), _names(table, column))
    grows = type_.upper() == "TEXT" if new is None else old is not None and old <= int(new[1])
    if old is None or not grows:
        raise UnsafeOperation(
            f"{table}.{column} cannot become {type_} beside the traffic: only a text may grow, to VARCHAR(n) or TEXT."
        )


def _names(table: str, column: str) -> dict[str, Any]:
    return {"table": quote(table), "column": column}
