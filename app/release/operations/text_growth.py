"""Let a text column hold longer texts, which is a change of the catalog alone."""

import re

from sqlalchemy import Connection, text

from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.steps import Step, alter_table, run_steps
from app.release.sql.dialect import quote

_COLUMN = "attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped"
# While the type is another one: CHECKs that hold for all rows. After it: those that an attempt that was killed left.
_CHECKS = text(
    "SELECT conname::text, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '') FROM pg_constraint k"
    f" JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey) WHERE {_COLUMN} AND contype = 'c'"
    f" AND convalidated = {catalog.HAS_ANOTHER_TYPE} ORDER BY conname"
)
_COMPUTED_INDEXES = text(
    "SELECT DISTINCT indexrelid::regclass::text AS name FROM pg_index JOIN pg_depend ON objid = indexrelid"
    " JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid AND refobjid = indrelid"
    f" WHERE {_COLUMN} AND (indexprs IS NOT NULL OR indpred IS NOT NULL) ORDER BY 1".replace("::", r"\:\:")
)


def widen_text_online(table: str, column: str, type_: str) -> None:
    """Let a text column hold longer texts. PostgreSQL only changes the catalog (manual, ALTER TABLE, "Notes").

    Args:
        type_: "TEXT", or "VARCHAR(n)" where n characters is at least the length of now.

    SQL:
        ALTER TABLE … ALTER COLUMN … TYPE …
            With CHECKs of the column, which are dropped and added NOT VALID in the same statement: PostgreSQL would
            look at every row for them (measured on 15). ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then
            is retried.
        ALTER TABLE … VALIDATE CONSTRAINT …
            Each of these CHECKs. SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: the new type is shorter, or one of them is not text. PostgreSQL would read every row under
            ACCESS EXCLUSIVE. Or an index has an expression or a condition over the column, so it would be rebuilt
            under that lock. (Not checked in --sql mode.)
    """
    _refuse_shorter(table, column, type_)
    of_type = {**catalog.column_parameters(table, column), "type": type_}
    _refuse_computed_indexes(table, column, of_type)
    checks = _checks(of_type)
    actions = [f"DROP CONSTRAINT {quote(name)}" for name in checks]
    actions.append(f"ALTER COLUMN {quote(column)} TYPE {type_}")
    actions += [f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID" for name, definition in checks.items()]
    run_steps(
        alter_table(table, ", ".join(actions), f"SELECT {catalog.HAS_ANOTHER_TYPE}", of_type),
        *(_validation(table, name) for name in checks),
    )


def computed_indexes(connection: Connection, table: str, column: str) -> list[str]:
    """The indexes with an expression or a condition over the column, which another type rebuilds."""
    return list(connection.scalars(_COMPUTED_INDEXES, catalog.column_parameters(table, column)))


def _checks(of_type: dict[str, str]) -> dict[str, str]:
    """name: definition."""
    connection = catalog.connection()
    found: dict[str, str] = {} if connection is None else dict(connection.execute(_CHECKS, of_type).all())
    return found


def _validation(table: str, name: str) -> Step:
    return Step(
        f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(name)}",
        f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}",
        catalog.constraint_parameters(table, name),
    )


def _refuse_computed_indexes(table: str, column: str, of_type: dict[str, str]) -> None:
    connection = catalog.connection()
    if connection is None or not catalog.answer(catalog.HAS_ANOTHER_TYPE, of_type):
        return
    if names := computed_indexes(connection, table, column):
        raise UnsafeOperation(
            f"{', '.join(names)} has an expression or a condition over {table}.{column}, and would be rebuilt while"
            f" no request can even read the table. Use change_type_online({table!r}, {column!r}, {of_type['type']!r}),"
            " which builds it beside the requests."
        )


def _refuse_shorter(table: str, column: str, type_: str) -> None:
    if catalog.connection() is None:
        return
    new = re.fullmatch(r"VARCHAR\((\d+)\)", type_.upper())
    old = catalog.answer(catalog.TEXT_LENGTH, catalog.column_parameters(table, column))
    grows = type_.upper() == "TEXT" if new is None else old is not None and old <= int(new[1])
    if old is None or not grows:
        raise UnsafeOperation(
            f"{table}.{column} cannot become {type_} beside the traffic: only a text may grow, to VARCHAR(n) or TEXT."
        )
