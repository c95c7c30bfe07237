"""Questions to the system catalogs, the SQL of catalog.sql by its names; and what has a name that is to be given."""

from typing import Any, Literal, NamedTuple

from alembic import op
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, CursorResult, text

from online_migrations.connection import connection_of
from online_migrations.definitions import columns_there, other_definition, wanted_column
from online_migrations.errors import ReleaseError
from online_migrations.guard.snapshot import FILLED_BY_TRIGGER
from online_migrations.sql import quote, read_texts, require_short


class Question(NamedTuple):
    """Hold a SELECT. It answers None if what it names does not exist, and in --sql mode, which asks nobody."""

    sql: str
    parameters: dict[str, Any]

    def __invert__(self) -> "Question":
        return Question(f"SELECT NOT ({self.sql})", self.parameters)

    def __and__(self, other: "Question") -> "Question":
        return Question(f"SELECT ({self.sql}) AND ({other.sql})", self.parameters | other.parameters)

    def rows(self, connection: Connection) -> CursorResult[*tuple[Any, ...]]:
        return connection.execute(text(self.sql), self.parameters)

    def answer(self) -> Any:
        connection = bind()
        return None if connection is None else self.rows(connection).scalar()

    def listed(self) -> list[str]:
        """Return the values of a column; none in --sql mode."""
        connection = bind()
        return [] if connection is None else list(self.rows(connection).scalars())


def bind() -> Connection | None:
    """Return the connection of the migration; None in --sql mode."""
    migration = op.get_context()
    return None if migration.as_sql else connection_of(migration)


def ask(name: str, table: str | None = None, /, **parameters: Any) -> Question:
    """Return the question of this name, about a table, index or view on the search path."""
    return Question(TEXTS[name], {"table": quote(table), **parameters} if table else parameters)


def tables_locked(table: str, *, column: str | None = None, constraint: str | None = None) -> tuple[str, ...]:
    """Return what a drop of the table, its column or constraint locks: also what its foreign keys refer to."""
    return (table, *ask("referred_to", table, column=column, constraint=constraint).listed())


TEXTS = read_texts(__file__, "catalog.sql", filled_by_trigger=FILLED_BY_TRIGGER)


def to_replace(table: str, name: str, statement: str, replace: bool, *referred: str) -> str | None:
    """Return what has the name and another definition than CREATE INDEX or ADD CONSTRAINT would make; None: nothing.

    In --sql mode nobody knows: "". Refuse it unless the call is to replace it: skipped, the release would be green.
    """
    require_short(name)
    connection = bind()
    if connection is None:
        return "" if replace else None
    there = other_definition(connection, table, name, statement, *referred)
    if there and not replace:
        raise ReleaseError(
            f"{table} has another {name}: {there}. This revision would make it with: {statement}. Nothing was changed."
            " To put the new one in its place, write replace=True into the call; else give the new one a name of its"
            " own. Then run: flask db upgrade"
        )
    return there


def refuse_other_column(table: str, column: str, definition: str) -> None:
    """Refuse when the table has the column, and with another type.

    Another default or NOT NULL may come from a later line of the revision, which was stopped and runs again now. It is
    told at the end of the revision unless a line has explained it.
    """
    connection = bind()
    if connection is None or (there := columns_there(connection, table).get(column)) is None:
        return
    wanted = wanted_column(connection, table, column, definition)
    sentence = (
        f"The column {table}.{column} is there already, as {there}; this revision would add it as {wanted}. If an"
        " attempt of this revision left it and no release has written to it, drop it with:"
        f" psql \"$DATABASE_URL\" -c 'ALTER TABLE {quote(table)} DROP COLUMN {quote(column)}'"
        " — and then run: flask db upgrade. Else give the new column a name of its own."
    )
    if there[:3] != wanted[:3] or (wanted.not_null and not there.not_null):
        raise ReleaseError(sentence)
    unexplained = op.get_context().opts.setdefault("unexplained", {})
    for what in ("default", "not_null"):
        if getattr(there, what) != getattr(wanted, what):
            unexplained[table, column, what] = sentence


def explain(table: str, column: str, what: Literal["default", "not_null"]) -> None:
    """Forget a difference: a line of the revision sets the default, or NOT NULL, of the column again."""
    op.get_context().opts.get("unexplained", {}).pop((table, column, what), None)


def require_explained(*, ctx: MigrationContext, **_: Any) -> None:
    """Refuse, at the end of a revision, a column that was there and differs, when no line says why."""
    for sentence in ctx.opts.pop("unexplained", {}).values():
        raise ReleaseError(sentence)
