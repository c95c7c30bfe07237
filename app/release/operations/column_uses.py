"""What stands on a column: its default, NOT NULL, identity, indexes and constraints, as the server describes them.

A column that is to take its place needs the same. Definitions are the server's own words (pg_get_indexdef, …).
"""

from typing import NamedTuple

from sqlalchemy import Connection, text

from app.release.connection import execute_verbatim
from app.release.errors import ReleaseError
from app.release.operations import column_queries as queries
from app.release.operations.catalog import column_parameters
from app.release.sql.dialect import quote


class ColumnState(NamedTuple):
    type: str
    not_null: bool
    default: str | None
    comment: str | None
    identity: str | None  # "ALWAYS" or "BY DEFAULT"
    sequence: str | None  # that the column owns, quoted
    sequence_options: str


class Index(NamedTuple):
    """
    Args:
        constraint: "PRIMARY KEY" or "UNIQUE" when the index belongs to one.
        deferral: DEFERRABLE …, of the constraint.
        definition: what follows CREATE INDEX … ON table.
    """

    name: str
    is_unique: bool
    constraint: str | None
    deferral: str
    definition: str


class ForeignKey(NamedTuple):
    """
    Args:
        table: that has the constraint.
        other: the table at its other end, which a change of the constraint locks too.
    """

    name: str
    table: str
    other: str
    definition: str


class Uses(NamedTuple):
    """Indexes and constraints of a column, each with the shadow's name in place of the column's."""

    indexes: list[Index]
    checks: dict[str, str]  # name: definition
    foreign_keys: list[ForeignKey]  # of the column
    references: list[ForeignKey]  # to the column


def read_state(connection: Connection, table: str, column: str) -> ColumnState:
    """
    Raises:
        ReleaseError: there is no such column.
    """
    row = connection.execute(queries.STATE, column_parameters(table, column)).one_or_none()
    if row is None:
        raise ReleaseError(f"There is no column {table}.{column}.")
    return ColumnState(*row)


def read_uses(connection: Connection, table: str, column: str, shadow: str) -> Uses:
    """In autocommit mode, and while the table has both columns."""
    of_column = column_parameters(table, column)
    with_shadow = {**of_column, "shadow": shadow}
    indexes = [Index(*row) for row in connection.execute(queries.INDEXES, of_column)]
    definitions, all_checks = _definitions_on_shadow(connection, table, column, shadow, indexes)
    return Uses(
        [index._replace(definition=definitions[index.name]) for index in indexes],
        {name: all_checks[name] for name in connection.scalars(queries.CHECKS, of_column)},
        [ForeignKey(*row) for row in connection.execute(queries.FOREIGN_KEYS, with_shadow)],
        [ForeignKey(*row) for row in connection.execute(queries.REFERENCES, with_shadow)],
    )


def read_obstacles(connection: Connection, table: str, column: str, own_trigger: str) -> list[str]:
    """What stands on the column and cannot be carried over: a view, a generated column, a policy, …."""
    parameters = {**column_parameters(table, column), "own_trigger": own_trigger}
    return list(connection.scalars(queries.OBSTACLES, parameters))


def recompile_triggers(connection: Connection, table: str) -> list[str]:
    """Statements that change nothing but let every session compile the table's trigger functions again.

    A session keeps a PL/pgSQL function as it compiled it, with the types that the columns had. ALTER FUNCTION to what
    it is makes it look again.
    """
    return list(connection.scalars(queries.TRIGGER_FUNCTIONS, {"table": quote(table)}))


def canonical_type(connection: Connection, type_: str) -> str:
    """A type as the server calls it, in autocommit mode: format_type() of a column that has it."""
    try:
        execute_verbatim(connection, f"BEGIN; CREATE TEMP TABLE dual_write_type (value {type_})")
        return read_state(connection, "dual_write_type", "value").type
    finally:
        execute_verbatim(connection, "ROLLBACK")


def _definitions_on_shadow(
    connection: Connection, table: str, column: str, shadow: str, indexes: list[Index]
) -> tuple[dict[str, str], dict[str, str]]:
    """The server itself puts the shadow's name in: it describes an empty copy of the table with the column renamed.

    So no expression is searched for a word that may stand in a text, or be another name.

    Returns:
        name: definition, of the indexes; and of all CHECKs of the table.
    """
    script = [
        "BEGIN",
        f"CREATE TEMP TABLE dual_write_copy (LIKE {quote(table)} INCLUDING CONSTRAINTS)",
        f"ALTER TABLE dual_write_copy DROP COLUMN {quote(shadow)}",
        *(
            f"CREATE {'UNIQUE ' if index.is_unique else ''}INDEX copy_{number} ON dual_write_copy {index.definition}"
            for number, index in enumerate(indexes)
        ),
        f"ALTER TABLE dual_write_copy RENAME COLUMN {quote(column)} TO {quote(shadow)}",
    ]
    try:
        execute_verbatim(connection, "; ".join(script))
        found: dict[str, str] = dict(connection.execute(_COPIED_INDEXES).all())
        checks: dict[str, str] = dict(connection.execute(_COPIED_CHECKS).all())
    finally:
        execute_verbatim(connection, "ROLLBACK")
    return {index.name: found[f"copy_{number}"] for number, index in enumerate(indexes)}, checks


_COPIED_INDEXES = text(
    "SELECT c.relname::text, regexp_replace(pg_get_indexdef(c.oid), '^CREATE (UNIQUE )?INDEX [^ ]+ ON [^ ]+ ', '')"
    " FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'pg_temp.dual_write_copy'::regclass"
)
_COPIED_CHECKS = text(
    "SELECT conname::text, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = 'pg_temp.dual_write_copy'::regclass AND contype = 'c'"
)
