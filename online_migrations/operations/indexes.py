"""Build an index, replace it or drop it beside the traffic: CREATE and DROP INDEX CONCURRENTLY."""

from typing import Any

from alembic.operations.ops import CreateIndexOp
from sqlalchemy import Column
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import NullType

from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect, on_table
from online_migrations.operations import catalog, conflicts
from online_migrations.operations.names import require_short, shorten_identifier, spare_name
from online_migrations.operations.steps import Step, online, run_steps
from online_migrations.sql import DIALECT, quote


def create_index_online(
    name: str,
    table: str,
    columns: list[str | TextClause],
    *,
    unique: bool = False,
    replace: bool = False,
    **options: Any,
) -> None:
    """Build an index beside the traffic, or put it in the place of another one.

    A build that failed leaves an INVALID index, which costs every write and serves no query; it is dropped first.
    Expand; a unique index on columns that the previous release writes is contract.

    Args:
        columns: names, or expressions in text().
        replace: an index of the name and another definition goes when the new one is built. Queries have one of both
            at any time.
        options: those of op.create_index, such as postgresql_where.

    Example: create_index_online("ix_notes_colour", "notes", ["user_id", "colour"])
    SQL: DROP INDEX CONCURRENTLY, only of an INVALID index. CREATE INDEX CONCURRENTLY reads the table twice and waits
        for all transactions that are open. To replace one: ALTER INDEX … RENAME …; DROP INDEX CONCURRENTLY …. All until
        the deadline.
    Run again: skipped when this index is there and valid.
    Downgrade: drop_index_online.
    Raises:
        UnsafeOperation: a unique index, and two rows are the same. The index is dropped again.
    """
    require_short(name)
    wanted = _create(name, table, columns, unique, options)
    there = conflicts.other_index(table, name, wanted)
    replaces = conflicts.to_replace(table, "index", name, there, wanted, replace) is not None
    if replace and not replaces:  # it is there; an attempt that was killed may have left the old one
        run_steps(_drop(spare_name(name)), _drop(_old_name(name)))
    built = spare_name(name) if replaces else name
    if replaces and conflicts.other_index(table, built, _create(built, table, columns, unique, options)):
        run_steps(_drop(built))  # of an attempt with a definition that was fixed since
    drop_invalid = online(_drop(built).sql, when=catalog.has_invalid_index(built))
    concurrently = _create(built, table, columns, unique, {**options, "postgresql_concurrently": True})
    steps = [drop_invalid, online(concurrently, unless=catalog.has_index(built))]
    effects = [_requiring(name, table, columns, options)] if unique else []
    try:
        if replaces:
            run_steps(*steps, *_swap(name), effects=[*effects, *_dropping(name)])
        else:
            run_steps(*steps, effects=effects)
    except IntegrityError as error:
        run_steps(drop_invalid)
        raise UnsafeOperation(
            f"{table} has rows that are the same in {', '.join(map(str, columns))}, so {name} cannot be unique."
            " Fix the rows, then run: flask db upgrade"
        ) from error


def drop_index_online(name: str) -> None:
    """Drop an index beside the traffic. Expand; a unique one that the previous release relies on is contract.

    Example: drop_index_online("ix_notes_colour")
    SQL: DROP INDEX CONCURRENTLY IF EXISTS …, which waits for the transactions that use the table, until the deadline.
    Downgrade: create_index_online.
    """
    run_steps(_drop(name), effects=_dropping(name))


def _requiring(name: str, table: str, columns: list[str | TextClause], options: dict[str, Any]) -> Effect:
    """Return what a unique index asks of new rows. Two that are NULL in a column are not the same."""
    names = [column for column in columns if isinstance(column, str)]
    left_null = [] if options.get("postgresql_nulls_not_distinct") else catalog.left_null(table, names)
    return on_table("requires-more", table, *left_null)._replace(subject=name)


def _dropping(name: str) -> list[Effect]:
    """Return what it means to code that may rely on a unique index when that goes."""
    found = catalog.unique_index(name).answer()
    return [on_table("drops-unique", *found)._replace(subject=name, unique=name)] if found else []


def _create(name: str, table: str, columns: list[str | TextClause], unique: bool, options: dict[str, Any]) -> str:
    """Return CREATE INDEX."""
    index = CreateIndexOp(name, table, columns, unique=unique, **options).to_index()
    for included in options.get("postgresql_include", ()):
        if index.table is not None and included not in index.table.columns:
            index.table.append_column(Column(included, NullType()))  # SQLAlchemy looks it up there
    return str(CreateIndex(index).compile(dialect=DIALECT))


def _drop(name: str) -> Step:
    return online(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", when=catalog.has_index(name))


def _swap(name: str) -> list[Step]:
    """Let the new index, which has a spare name, take the name of the old one; then the old one goes."""
    spare, old = spare_name(name), _old_name(name)
    rename = f"ALTER INDEX IF EXISTS {quote(name)} RENAME TO {quote(old)}"
    take = f"ALTER INDEX {quote(spare)} RENAME TO {quote(name)}"
    return [online(f"{rename}; {take}", when=catalog.has_index(spare)), _drop(old)]


def _old_name(name: str) -> str:
    return shorten_identifier(f"{name}_old")
