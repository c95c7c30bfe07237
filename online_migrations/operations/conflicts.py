"""Conflicts: something has the name of what an operation would make, and is something else.

"Already there" means the same definition, not the same name. Otherwise an operation would skip what a developer has
fixed since an earlier attempt, and the release would be green without it.
"""

from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext

from online_migrations.definitions import (
    INDEX,
    ColumnDefinition,
    Definition,
    column_there,
    constraint_there,
    index_there,
    is_same,
    wanted_column,
    wanted_constraint,
    wanted_index,
)
from online_migrations.errors import ReleaseError
from online_migrations.operations import catalog
from online_migrations.sql import quote

# What came later in a revision may explain these differences: (table, column, what): sentence.
Unexplained = dict[tuple[str, str, str], str]
DEFAULT, NOT_NULL = "default", "not_null"
# A table, view or sequence: PostgreSQL has them and indexes in one space of names.
_IS_NO_INDEX = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:index) AND relkind NOT IN ('i', 'I'))"


def other_constraint(table: str, name: str, definition: str, referred: str | None = None) -> str | None:
    """What has the name and another definition; None: nothing has the name, or the same is there.

    Args:
        definition: of the constraint that is wanted, such as "CHECK (size < 10)".
        referred: the table that a foreign key refers to.
    """
    connection = catalog.connection()
    there = constraint_there(connection, table, name) if connection else None
    if connection is None or there is None:
        return None
    wanted = wanted_constraint(connection, table, name, definition, referred)
    return None if is_same(connection, table, there, wanted) else there.text


def other_index(table: str, name: str, create: str) -> str | None:
    """As other_constraint().

    Args:
        create: CREATE INDEX of the one that is wanted, not CONCURRENTLY.

    Raises:
        ReleaseError: an index of another table has the name, or what is no index.
    """
    if catalog.answer(_IS_NO_INDEX, {"index": quote(name)}):
        raise ReleaseError(
            f"The name {name} is that of something else than an index; nothing was changed. Give the new index on"
            f" {table} a name of its own."
        )
    connection = catalog.connection()
    there = index_there(connection, name) if connection else None
    if connection is None or there is None:
        return None
    if there.table != quote(table):
        raise ReleaseError(
            f"There is another index {name}, on {there.table} ({there.definition}); nothing was changed. Give the new"
            f" one on {table} a name of its own."
        )
    wanted = wanted_index(connection, table, name, create)
    one, other = (Definition(name, INDEX, printed) for printed in (there.definition, wanted))
    return None if is_same(connection, table, one, other) else there.definition


def replaces(there: str | None, replace: bool) -> bool:
    """Whether the operation is to put something in the place of another. In --sql mode nobody knows what is there."""
    return replace and (there is not None or op.get_context().as_sql)


def refusal(table: str, kind: str, name: str, there: str, wanted: str) -> ReleaseError:
    """What is there and what is wanted, and how to replace the one by the other.

    Args:
        kind: "constraint" or "index".
    """
    return ReleaseError(
        f"There is another {kind} {name} on {table}: {there}. This revision would make: {wanted}. Nothing was changed."
        " To put the new one in its place, write replace=True into the call; else give the new one a name of its own."
        " Then run: flask db upgrade"
    )


def refuse_other_column(table: str, column: str, definition: str) -> None:
    """Refuse when the table has the column, and with another type.

    A default and NOT NULL may come from a later line of the same revision, which was stopped before its end and runs
    again now. Such a difference is remembered, and told at the end of the revision unless a line has explained it.

    Raises:
        ReleaseError: with what is there and what is wanted.
    """
    connection = catalog.connection()
    there = column_there(connection, table, column) if connection else None
    if connection is None or there is None:
        return
    wanted = wanted_column(connection, table, column, definition)
    sentence = _other_column(table, column, there, wanted)
    if there.type != wanted.type or (wanted.not_null and not there.not_null):
        raise ReleaseError(sentence)
    if there.default != wanted.default:
        _unexplained()[table, column, DEFAULT] = sentence
    if there.not_null != wanted.not_null:
        _unexplained()[table, column, NOT_NULL] = sentence


def explain(table: str, column: str, what: str) -> None:
    """A line of the revision sets the default, or NOT NULL, of a column again."""
    _unexplained().pop((table, column, what), None)


def require_explained(*, ctx: MigrationContext, **_: Any) -> None:
    """Alembic's on_version_apply hook, at the end of a revision.

    Raises:
        ReleaseError: a column that was there differs from the one that the revision adds, and no line says why.
    """
    for sentence in ctx.opts.pop("unexplained", {}).values():
        raise ReleaseError(sentence)


def _other_column(table: str, column: str, there: ColumnDefinition, wanted: ColumnDefinition) -> str:
    return (
        f"The column {table}.{column} is there already, as {there}; this revision would add it as {wanted}. If an"
        " attempt of this revision left it and no release has written to it, drop it with:"
        f" psql \"$DATABASE_URL\" -c 'ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}'"
        " — and then run: flask db upgrade. Else give the new column a name of its own."
    )


def _unexplained() -> Unexplained:
    found: Unexplained = op.get_context().opts.setdefault("unexplained", {})
    return found
