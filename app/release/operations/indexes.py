"""Operations on indexes: CREATE and DROP INDEX CONCURRENTLY."""

from typing import Any

from alembic import op
from alembic.operations.ops import CreateIndexOp
from sqlalchemy import Column, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import NullType

from app.release.connection import connection_of
from app.release.effects.effect import Effect, on_table
from app.release.errors import ReleaseError, UnsafeOperation
from app.release.operations import catalog
from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import DIALECT, quote

_COLUMNS = text(
    "SELECT CAST(indrelid AS regclass)::text AS owner, indisunique AS is_unique, array("
    "  SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS key (attnum, place)"
    "  JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = key.attnum WHERE place <= indnkeyatts ORDER BY place"
    ") AS columns FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid"
)

_IS_UNIQUE = text("SELECT indisunique AND indisvalid FROM pg_index WHERE indexrelid = to_regclass(:index)")
_LEFT_NULL = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attname = ANY (:names)"
    " AND NOT attnotnull AND NOT atthasdef AND attidentity = ''"
)


def create_index_online(
    name: str, table: str, columns: list[str | TextClause], *, unique: bool = False, **options: Any
) -> None:
    """Build an index concurrently.

    A build that failed leaves an INVALID index. It costs every write, serves no query, and CREATE INDEX … IF NOT EXISTS
    would be content with it. So it is dropped first.

    Args:
        columns: names, or expressions in text().
        options: those of op.create_index, such as postgresql_where.

    SQL, each statement by itself, since CONCURRENTLY cannot run in a transaction:
        DROP INDEX CONCURRENTLY IF EXISTS …
            Only when an INVALID index has the name. SHARE UPDATE EXCLUSIVE.
        CREATE INDEX CONCURRENTLY …
            SHARE UPDATE EXCLUSIVE, while the table is read twice; blocks neither reads nor writes. Waits for all
            transactions that are open, until the deadline.

    Run again: skipped when a valid index has the name.

    Raises:
        UnsafeOperation: a unique index, and two rows are the same. The index is dropped again.
        ReleaseError: another index has the name. Only table, columns and uniqueness are compared.
    """
    index = CreateIndexOp(name, table, columns, unique=unique, postgresql_concurrently=True, **options).to_index()
    owner = index.table
    for included in options.get("postgresql_include", ()):
        if owner is not None and included not in owner.columns:
            owner.append_column(Column(included, NullType()))  # SQLAlchemy looks it up there
    parameters = {"index": quote(name)}
    _refuse_name_conflict(name, table, columns, unique)
    drop_invalid = Step(
        f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", f"SELECT {catalog.HAS_INVALID_INDEX}", parameters
    )
    create = Step(str(CreateIndex(index).compile(dialect=DIALECT)), f"SELECT NOT {catalog.HAS_INDEX}", parameters)
    effects = [on_table("requires-more", table, *_left_null(table, columns))._replace(subject=name)] if unique else []
    try:
        run_steps(drop_invalid, create, effects=effects)
    except IntegrityError as error:
        run_steps(drop_invalid)
        raise UnsafeOperation(
            f"{table} has rows that are the same in {', '.join(map(str, columns))}, so {name} cannot be unique."
            " Mend the rows, then run: flask db upgrade"
        ) from error


def drop_index_online(name: str) -> None:
    """Drop an index concurrently.

    SQL, by itself:
        DROP INDEX CONCURRENTLY IF EXISTS …
            SHARE UPDATE EXCLUSIVE on the table; blocks neither reads nor writes. Waits for the transactions that use
            the table, until the deadline.

    Run again: skipped when there is no such index.
    """
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}"
    effects = [Effect("drops-constraint", name)] if _is_unique(name) else []
    run_steps(Step(drop, f"SELECT {catalog.HAS_INDEX}", {"index": quote(name)}), effects=effects)


def _is_unique(name: str) -> bool:
    """Whether an index is there, and unique."""
    migration = op.get_context()
    if migration.as_sql:
        return False
    return bool(connection_of(migration).scalar(_IS_UNIQUE, {"index": quote(name)}))


def _left_null(table: str, columns: list[str | TextClause]) -> list[str]:
    """Those columns that are NULL in a row whose writer does not name them. Two such rows are not the same."""
    migration = op.get_context()
    if migration.as_sql:
        return []
    names = [column for column in columns if isinstance(column, str)]
    return list(connection_of(migration).scalars(_LEFT_NULL, {"table": quote(table), "names": names}))


def _refuse_name_conflict(name: str, table: str, columns: list[str | TextClause], unique: bool) -> None:
    migration = op.get_context()
    if migration.as_sql or not all(isinstance(column, str) for column in columns):
        return
    found = connection_of(migration).execute(_COLUMNS, {"index": quote(name)}).one_or_none()
    if found and (found.owner, found.is_unique, found.columns) != (quote(table), unique, list(map(str, columns))):
        raise ReleaseError(
            f"There is another index {name}, on {found.owner} ({', '.join(found.columns or ['an expression'])})."
            " Give the new one a name of its own."
        )
