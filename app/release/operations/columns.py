"""Adding, requiring, retiring and dropping a column."""

import re
from typing import Any

from alembic import op
from sqlalchemy import Column, MetaData, Table, text
from sqlalchemy.schema import CreateColumn

from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.steps import ALWAYS, DIALECT, RETIRED, Step, connection_of, quote, run

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
    _refuse_unsafe(table, column)
    Table(table, MetaData(), column)
    definition = str(CreateColumn(column).compile(dialect=DIALECT))
    run(
        Step(
            f"ALTER TABLE {quote(table)} ADD COLUMN IF NOT EXISTS {definition}",
            f"SELECT NOT {catalog.HAS_COLUMN}",
            _names(table, column.name),
            alters=(table,),
        )
    )


def _refuse_unsafe(table: str, column: Column[Any]) -> None:
    where = f"{table}.{column.name}"
    if not column.nullable and column.server_default is None:
        raise UnsafeOperation(
            f"{where} is required and has no server_default: rows that are there, and inserts of the release that is"
            " live, would lack a value. Give it a server_default, or add it nullable, backfill it and require it then."
        )
    if column.computed is not None or column.identity is not None:
        raise UnsafeOperation(
            f"{where} is computed by the database, for which PostgreSQL rewrites the whole table under a lock that"
            " stops every request. Add a plain column and backfill it."
        )
    if column.foreign_keys or column.unique or column.index or column.primary_key:
        raise UnsafeOperation(
            f"{where} comes with a constraint or an index. Add the plain column, then use add_foreign_key_online,"
            " add_unique_online or create_index_online."
        )
    if volatile := _volatile_functions(column):
        raise UnsafeOperation(
            f"{where} has a default that differs from row to row ({volatile}), for which PostgreSQL rewrites the whole"
            " table under a lock that stops every request. Add it without a default, set_default_online, backfill."
        )


def _volatile_functions(column: Column[Any]) -> str | None:
    """The functions in the default that the server calls volatile. Not asked in --sql mode, where no server is."""
    migration = op.get_context()
    if migration.as_sql or column.server_default is None:
        return None
    default = str(getattr(column.server_default, "arg", ""))
    names = [name.lower() for name in re.findall(r"(\w+)\s*\(", default)]
    found: str | None = connection_of(migration).scalar(_VOLATILE, {"names": names})
    return found


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
    run(Step(f"COMMENT ON COLUMN {quote(table)}.{quote(column)} IS NULL", ALWAYS, {}))


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
    length = re.fullmatch(r"VARCHAR\((\d+)\)", type_.upper())
    if migration.as_sql or (length is None and type_.upper() == "TEXT"):
        return
    # What PostgreSQL keeps of a VARCHAR is its length and 4; of a TEXT it is -1.
    kept = connection_of(migration).scalar(text(f"SELECT {catalog.TYPE_MODIFIER}"), _names(table, column))
    if length is None or kept == -1 or int(length[1]) < (kept or 0) - 4:
        raise UnsafeOperation(
            f"{table}.{column} cannot become {type_} beside the traffic: only a text may grow, to VARCHAR(n) or TEXT."
        )


def _names(table: str, column: str) -> dict[str, Any]:
    return {"table": quote(table), "column": column}
