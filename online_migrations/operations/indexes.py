"""Operations on indexes: CREATE and DROP INDEX CONCURRENTLY."""

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
from online_migrations.operations.steps import Step, run_steps
from online_migrations.sql import DIALECT, quote

_IS_THERE = f"SELECT {catalog.HAS_INDEX}"


def create_index_online(
    name: str,
    table: str,
    columns: list[str | TextClause],
    *,
    unique: bool = False,
    replace: bool = False,
    **options: Any,
) -> None:
    """Build an index concurrently, or put it in the place of another one.

    A build that failed leaves an INVALID index. It costs every write, serves no query, and CREATE INDEX … IF NOT EXISTS
    would be content with it. So it is dropped first.

    Args:
        columns: names, or expressions in text().
        replace: an index of the name and another definition goes when the new one is built. Queries have one of both
            at any time.
        options: those of op.create_index, such as postgresql_where.

    SQL, each statement by itself, since CONCURRENTLY cannot run in a transaction:
        DROP INDEX CONCURRENTLY IF EXISTS …
            Only when an INVALID index has the name. SHARE UPDATE EXCLUSIVE.
        CREATE INDEX CONCURRENTLY …
            SHARE UPDATE EXCLUSIVE, while the table is read twice; blocks neither reads nor writes. Waits for all
            transactions that are open, until the deadline.
        ALTER INDEX … RENAME …; ALTER INDEX … RENAME …; DROP INDEX CONCURRENTLY …
            Only to replace one. SHARE UPDATE EXCLUSIVE; blocks neither reads nor writes.

    Run again: skipped when this index is there and valid.

    Raises:
        UnsafeOperation: a unique index, and two rows are the same. The index is dropped again.
        ReleaseError: an index has the name and another definition, and it is not to be replaced.
    """
    require_short(name)
    wanted = _create(name, table, columns, unique, options)
    there = conflicts.other_index(table, name, wanted)
    if there and not replace:
        raise conflicts.refusal(table, "index", name, there, wanted)
    replaces = conflicts.replaces(there, replace)
    if replace and not replaces:  # it is there; an attempt that was killed may have left the old one
        run_steps(*_drop_leftovers(name))
    built = spare_name(name) if replaces else name
    if replaces and conflicts.other_index(table, built, _create(built, table, columns, unique, options)):
        run_steps(_drop(built, _IS_THERE))  # of an attempt with a definition that was fixed since
    drop_invalid = _drop(built, f"SELECT {catalog.HAS_INVALID_INDEX}")
    concurrently = _create(built, table, columns, unique, {**options, "postgresql_concurrently": True})
    create = Step(concurrently, f"SELECT NOT {catalog.HAS_INDEX}", {"index": quote(built)})
    effects = [_requiring(name, table, columns, options)] if unique else []
    try:
        if replaces:
            run_steps(drop_invalid, create, *_swap(name), effects=[*effects, *_dropping(name)])
        else:
            run_steps(drop_invalid, create, effects=effects)
    except IntegrityError as error:
        run_steps(drop_invalid)
        raise UnsafeOperation(
            f"{table} has rows that are the same in {', '.join(map(str, columns))}, so {name} cannot be unique."
            " Fix the rows, then run: flask db upgrade"
        ) from error


def drop_index_online(name: str) -> None:
    """Drop an index concurrently.

    SQL, by itself:
        DROP INDEX CONCURRENTLY IF EXISTS …
            SHARE UPDATE EXCLUSIVE on the table; blocks neither reads nor writes. Waits for the transactions that use
            the table, until the deadline.

    Run again: skipped when there is no such index.
    """
    run_steps(_drop(name, _IS_THERE), effects=_dropping(name))


def _requiring(name: str, table: str, columns: list[str | TextClause], options: dict[str, Any]) -> Effect:
    """What a unique index asks of new rows. Two that are NULL in a column are not the same."""
    names = [column for column in columns if isinstance(column, str)]
    left_null = [] if options.get("postgresql_nulls_not_distinct") else catalog.left_null(table, names)
    return on_table("requires-more", table, *left_null)._replace(subject=name)


def _dropping(name: str) -> list[Effect]:
    """Return what it means to code that may count on a unique index when that goes."""
    found = catalog.answer(catalog.UNIQUE_INDEX, {"index": quote(name)})
    if found and catalog.answer(catalog.IS_UNIQUE_BESIDES_INDEX, {"index": quote(name)}):
        return []
    return [on_table("drops-unique", *found)._replace(subject=name, unique=name)] if found else []


def _create(name: str, table: str, columns: list[str | TextClause], unique: bool, options: dict[str, Any]) -> str:
    """CREATE INDEX."""
    index = CreateIndexOp(name, table, columns, unique=unique, **options).to_index()
    for included in options.get("postgresql_include", ()):
        if index.table is not None and included not in index.table.columns:
            index.table.append_column(Column(included, NullType()))  # SQLAlchemy looks it up there
    return str(CreateIndex(index).compile(dialect=DIALECT))


def _drop(name: str, needed: str) -> Step:
    return Step(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", needed, {"index": quote(name)})


def _drop_leftovers(name: str) -> list[Step]:
    return [_drop(left, _IS_THERE) for left in (spare_name(name), _old_name(name))]


def _swap(name: str) -> list[Step]:
    """The new index, which has a spare name, takes the name of the old one; then the old one goes."""
    spare, old = quote(spare_name(name)), _old_name(name)
    rename = f"ALTER INDEX IF EXISTS {quote(name)} RENAME TO {quote(old)}; ALTER INDEX {spare} RENAME TO {quote(name)}"
    return [
        Step(rename, _IS_THERE, {"index": spare}),
        _drop(old, _IS_THERE),
    ]


def _old_name(name: str) -> str:
    return shorten_identifier(f"{name}_old")
