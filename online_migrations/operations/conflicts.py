"""Conflicts: something has the name of what an operation would make, and is something else.

"Already there" means the same definition, not the same name. Otherwise an operation would skip what a developer has
fixed since an earlier attempt, and the release would be green without it.
"""

from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext

from online_migrations import definitions
from online_migrations.definitions import ColumnDefinition, Definition
from online_migrations.errors import ReleaseError
from online_migrations.operations import catalog
from online_migrations.sql import quote

# What came later in a revision may explain these differences: (table, column, what): sentence.
Unexplained = dict[tuple[str, str, str], str]
DEFAULT, NOT_NULL = "default", "not_null"


def other_constraint(table: str, name: str, definition: str, referred: str | None = None) -> str | None:
    """Return what has the name and another definition; None: nothing has the name, or the same is there."""
    connection = catalog.connection()
    there = definitions.constraint_there(connection, table, name) if connection else None
    if connection is None or there is None:
        return None
    wanted = definitions.wanted_constraint(connection, table, name, definition, referred)
    return None if definitions.is_same(connection, table, there, wanted) else there.text


def other_index(table: str, name: str, create: str) -> str | None:
    """Return what has the name and another definition than CREATE INDEX (not CONCURRENTLY) would make.

    Refuse an index of another table; and a table, view or sequence, which are in one space of names with indexes.
    """
    if catalog.is_relation(name, "rvmSfpct").answer():
        raise ReleaseError(
            f"The name {name} is that of something else than an index; nothing was changed. Give the new index on"
            f" {table} a name of its own."
        )
    connection = catalog.connection()
    there = definitions.index_there(connection, name) if connection else None
    if connection is None or there is None:
        return None
    if there.table != quote(table):
        raise ReleaseError(
            f"There is another index {name}, on {there.table} ({there.definition}); nothing was changed. Give the new"
            f" one on {table} a name of its own."
        )
    wanted = definitions.wanted_index(connection, table, name, create)
    one, other = (Definition(name, definitions.INDEX, printed) for printed in (there.definition, wanted))
    return None if definitions.is_same(connection, table, one, other) else there.definition


def to_replace(table: str, kind: str, name: str, there: str | None, wanted: str, replace: bool) -> str | None:
    """Return what is there and is to be replaced; None: nothing. In --sql mode nobody knows what is there: "".

    Refuse when something is there that is not to be replaced.
    """
    if there and not replace:
        raise ReleaseError(
            f"There is another {kind} {name} on {table}: {there}. This revision would make: {wanted}. Nothing was"
            " changed. To put the new one in its place, write replace=True into the call; else give the new one a name"
            " of its own. Then run: flask db upgrade"
        )
    return "" if replace and op.get_context().as_sql else there


def refuse_other_column(table: str, column: str, definition: str) -> None:
    """Refuse when the table has the column, and with another type.

    A default and NOT NULL may come from a later line of the same revision, which was stopped before its end and runs
    again now. Such a difference is remembered, and told at the end of the revision unless a line has explained it.
    """
    connection = catalog.connection()
    there = definitions.column_there(connection, table, column) if connection else None
    if connection is None or there is None:
        return
    wanted = definitions.wanted_column(connection, table, column, definition)
    sentence = _other_column(table, column, there, wanted)
    if there.type != wanted.type or (wanted.not_null and not there.not_null):
        raise ReleaseError(sentence)
    if there.default != wanted.default:
        _unexplained()[table, column, DEFAULT] = sentence
    if there.not_null != wanted.not_null:
        _unexplained()[table, column, NOT_NULL] = sentence


def explain(table: str, column: str, what: str) -> None:
    """Forget a difference: a line of the revision sets the default, or NOT NULL, of the column again."""
    _unexplained().pop((table, column, what), None)


def require_explained(*, ctx: MigrationContext, **_: Any) -> None:
    """Refuse a column that was there and differs from the one that the revision adds, when no line says why.

    Alembic's on_version_apply hook, at the end of a revision.
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
