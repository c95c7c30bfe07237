"""Operations on keys, UNIQUE and PRIMARY KEY: build the index concurrently, then attach it to a constraint."""

from typing import Any

from app.release.operations import catalog, conflicts
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.constraint_steps import dropping
from app.release.operations.identifiers import require_short, spare_name
from app.release.operations.indexes import create_index_online
from app.release.operations.not_null import set_not_null_online
from app.release.operations.steps import alter_table, run_steps
from app.release.sql.dialect import quote, quoted_list


def add_unique_online(
    table: str,
    name: str,
    columns: list[str],
    *,
    deferrable: bool | None = None,
    initially: str | None = None,
    nulls_not_distinct: bool = False,
    include: tuple[str, ...] = (),
    replace: bool = False,
) -> None:
    """Add a UNIQUE constraint, or put it in the place of another one: build its index concurrently, then attach it.

    Args:
        include: columns that the index holds besides.
        replace: a constraint of the name and another definition goes in the moment in which the new one is attached.

    SQL, each statement in a transaction of its own:
        DROP INDEX CONCURRENTLY IF EXISTS …
            Only when a build that failed left an INVALID index.
        CREATE UNIQUE INDEX CONCURRENTLY …
            SHARE UPDATE EXCLUSIVE, while the table is read twice. May wait until the deadline.
        ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: two rows are the same; the index is dropped again. Or a backfill of one of the columns is not
            done.
        ReleaseError: an index or constraint of this name has another definition, and it is not to be replaced.
    """
    refuse_while_filling("add_unique_online", table=table, name=name, columns=columns)
    key = f"{'NULLS NOT DISTINCT ' if nulls_not_distinct else ''}({quoted_list(columns)})"
    key += f" INCLUDE ({quoted_list(include)})" if include else ""
    when = " DEFERRABLE" if deferrable else ""
    when += f" INITIALLY {initially}" if initially else ""
    options: dict[str, Any] = {"postgresql_nulls_not_distinct": True} if nulls_not_distinct else {}
    if include:
        options["postgresql_include"] = list(include)
    _add(table, name, columns, f"UNIQUE {key}{when}", f"UNIQUE USING INDEX {{}}{when}", replace, options)


def add_primary_key_online(table: str, name: str, columns: list[str], *, replace: bool = False) -> None:
    """Add a PRIMARY KEY, or put it in the place of another one. Its columns become NOT NULL, as by set_not_null_online.

    A foreign key that refers to the old key is in the way: PostgreSQL refuses, and nothing is changed.

    Args:
        replace: as for add_unique_online.

    SQL, each statement in a transaction of its own: as add_unique_online, with PRIMARY KEY USING INDEX.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: two rows are the same, or a column holds NULL; the index is dropped again. Or a backfill of one
            of the columns is not done.
        ReleaseError: an index or constraint of this name has another definition, and it is not to be replaced.
    """
    refuse_while_filling("add_primary_key_online", table=table, name=name, columns=columns)
    for column in columns:
        set_not_null_online(table, column)
    _add(table, name, columns, f"PRIMARY KEY ({quoted_list(columns)})", "PRIMARY KEY USING INDEX {}", replace, {})


def _add(
    table: str, name: str, columns: list[str], definition: str, attach: str, replace: bool, options: dict[str, Any]
) -> None:
    """
    Args:
        attach: what ADD CONSTRAINT says, with {} in place of the index.
    """
    require_short(name)
    there = conflicts.other_constraint(table, name, definition)
    if there and not replace:
        raise conflicts.refusal(table, "constraint", name, there, definition)
    if not conflicts.replaces(there, replace):
        create_index_online(name, table, [*columns], unique=True, **options)
        needed, parameters = f"SELECT NOT {catalog.HAS_CONSTRAINT}", catalog.constraint_parameters(table, name)
        run_steps(alter_table(table, f"ADD CONSTRAINT {quote(name)} {attach.format(quote(name))}", needed, parameters))
        return
    spare = spare_name(name)
    create_index_online(spare, table, [*columns], unique=True, replace=True, **options)
    drop = f"DROP CONSTRAINT IF EXISTS {quote(name)}"
    add = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)} {attach.format(quote(spare))}"
    swap = alter_table(table, f"{drop}; {add}", f"SELECT {catalog.HAS_INDEX}", {"index": quote(spare)})
    run_steps(swap, effects=dropping(table, name))
