"""Building and dropping an index while the table is written to."""

from typing import Any

from alembic import op
from alembic.operations.ops import CreateIndexOp
from sqlalchemy import Column, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import NullType

from app.release.connection import connection_of
from app.release.errors import ReleaseError, UnsafeOperation
from app.release.operations import catalog
from app.release.operations.steps import DIALECT, Step, quote, run

_COLUMNS = text(
    "SELECT CAST(indrelid AS regclass)::text AS owner, indisunique AS is_unique, array("
    "  SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS key (attnum, place)"
    "  JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = key.attnum WHERE place <= indnkeyatts ORDER BY place"
    ") AS columns FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid"
)


def create_index_online(
    name: str, table: str, columns: list[str | TextClause], *, unique: bool = False, **options: Any
) -> None:
    """Build an index concurrently.

    A build that died leaves an INVALID index, which costs every write and serves no read, and which IF NOT EXISTS takes
    for the real one: it is dropped first.

    Args:
        columns: names, or expressions in text().
        options: what op.create_index takes, such as postgresql_where.

    Raises:
        UnsafeOperation: it is to be unique and two rows hold the same; no index is left.
        ReleaseError: another index has the name.
    """
    index = CreateIndexOp(name, table, columns, unique=unique, postgresql_concurrently=True, **options).to_index()
    owner = index.table
    for included in options.get("postgresql_include", ()):
        if owner is not None and included not in owner.columns:
            owner.append_column(Column(included, NullType()))  # SQLAlchemy looks it up there
    names = {"index": quote(name)}
    _refuse_namesake(name, table, columns, unique)
    drop_unfinished = Step(
        f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", f"SELECT {catalog.HAS_INVALID_INDEX}", names
    )
    try:
        run(
            drop_unfinished,
            Step(str(CreateIndex(index).compile(dialect=DIALECT)), f"SELECT NOT {catalog.HAS_INDEX}", names),
        )
    except IntegrityError as error:
        run(drop_unfinished)
        raise UnsafeOperation(
            f"{table} has rows that are the same in {', '.join(map(str, columns))}, so {name} cannot be unique."
            " Mend the rows, then run: flask db upgrade"
        ) from error


def drop_index_online(name: str) -> None:
    """Drop an index without waiting for the table's readers and writers to stop."""
    run(Step(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", f"SELECT {catalog.HAS_INDEX}", {"index": quote(name)}))


def _refuse_namesake(name: str, table: str, columns: list[str | TextClause], unique: bool) -> None:
    migration = op.get_context()
    if migration.as_sql or not all(isinstance(column, str) for column in columns):
        return
    found = connection_of(migration).execute(_COLUMNS, {"index": quote(name)}).one_or_none()
    if found and (found.owner, found.is_unique, found.columns) != (quote(table), unique, list(map(str, columns))):
        raise ReleaseError(
            f"There is another index {name}, on {found.owner} ({', '.join(found.columns or ['an expression'])})."
            " Give the new one a name of its own."
        )
