"""Operations on keys, UNIQUE and PRIMARY KEY: build the index concurrently, then attach it to a constraint.

Adding, replacing and dropping a constraint: the steps of constraints.py, and what they mean to the live release.

Operations on CHECK constraints and foreign keys: ADD … NOT VALID first, VALIDATE CONSTRAINT after it.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect, on_table
from online_migrations.guard.proofs import takes_all
from online_migrations.operations import catalog, conflicts
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import HAS_CONSTRAINT, HAS_INDEX, constraint_parameters
from online_migrations.operations.columns import set_not_null_online
from online_migrations.operations.indexes import create_index_online
from online_migrations.operations.names import require_short, spare_name
from online_migrations.operations.steps import Step, alter_table, run_steps
from online_migrations.sql import quote, quoted_list


def add_constraint(
    table: str, name: str, definition: str, referred: str | None, broken: str, replace: bool, requires: list[Effect]
) -> None:
    """Add a constraint, unless the same is there.

    Args:
        referred: the table that a foreign key refers to.
        broken: the message when a row does not meet the constraint.
        requires: what it means that it comes.
    """
    require_short(name)
    there = conflicts.other_constraint(table, name, definition, referred)
    if there and not replace:
        raise conflicts.refusal(table, "constraint", name, there, definition)
    tables = (table, referred) if referred else (table,)
    replaces = conflicts.replaces(there, replace)
    if replaces:
        steps, effects = _replace(tables, name, definition), _replacing(table, name, there or "", definition, requires)
    else:
        is_there = catalog.answer(catalog.HAS_CONSTRAINT, catalog.constraint_parameters(table, name))
        effects = [] if is_there else requires  # there: it asks nothing that it does not ask already
        steps = add_not_valid_then_validate(tables, name, definition)
    try:
        run_steps(*steps, effects=effects)
    except IntegrityError as error:
        # NOT VALID still refuses new rows of the live release.
        run_steps(drop_step(table, spare_name(name) if replaces else name))
        raise UnsafeOperation(f"{broken}, so {name} cannot hold. Fix the rows, then run: flask db upgrade") from error


def dropping(table: str, name: str) -> list[Effect]:
    """Return what it means to code that may count on a constraint when that goes; see effects/constraints.py."""
    parameters = catalog.constraint_parameters(table, name)
    if not catalog.answer(catalog.IS_RELIED_ON, parameters):
        return []
    if catalog.answer(catalog.IS_UNIQUE_BESIDES_CONSTRAINT, parameters):
        return []
    columns = catalog.answer(catalog.UNIQUE_COLUMNS, parameters)
    if columns is None:
        return [on_table("drops-constraint", table, name)]
    return [on_table("drops-unique", table, *columns)._replace(subject=name, unique=name)]


def requiring(table: str, name: str, columns: Sequence[str]) -> Effect:
    """What a constraint asks of new rows, which it takes when one of these columns is left out."""
    return on_table("requires-more", table, *columns)._replace(subject=name)


def _replacing(table: str, name: str, there: str, definition: str, requires: list[Effect]) -> list[Effect]:
    """What it means that another constraint takes the place of one. A wider CHECK asks nothing more."""
    if not (there.startswith("CHECK") and definition.startswith("CHECK")):
        return [*requires, *dropping(table, name)]
    connection = catalog.connection()
    is_wider = connection is not None and takes_all(connection, table, there, definition)
    return [] if is_wider else [effect._replace(code="narrows-check") for effect in requires]


def drop_step(table: str, name: str) -> Step:
    sql = f"ALTER TABLE {quote(table)} DROP CONSTRAINT IF EXISTS {quote(name)}"
    parameters = catalog.constraint_parameters(table, name)
    return Step(
        sql, f"SELECT {catalog.HAS_CONSTRAINT}", parameters, alters=catalog.tables_locked(table, constraint=name)
    )


def add_not_valid_then_validate(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """In two transactions. In one, the lock of the first statement would be held while the second reads the table.

    Args:
        tables: that of the constraint, and the one that a foreign key refers to.
    """
    alter = f"ALTER TABLE {quote(tables[0])}"
    parameters = catalog.constraint_parameters(tables[0], name)
    add = f"{alter} ADD CONSTRAINT {quote(name)} {definition} NOT VALID"
    validate = f"{alter} VALIDATE CONSTRAINT {quote(name)}"
    return [
        Step(add, f"SELECT NOT {catalog.HAS_CONSTRAINT}", parameters, alters=tables, mode="SHARE ROW EXCLUSIVE"),
        Step(validate, f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}", parameters),
    ]


def _replace(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """Validate the new one under a spare name. Then the old one goes and the new one takes its name, in one moment."""
    table, spare = tables[0], spare_name(name)
    if conflicts.other_constraint(table, spare, definition, *tables[1:]):
        run_steps(drop_step(table, spare))  # of an attempt with a definition that was fixed since
    alter = f"ALTER TABLE {quote(table)}"
    swap = f"{alter} DROP CONSTRAINT IF EXISTS {quote(name)}; {alter} RENAME CONSTRAINT {quote(spare)} TO {quote(name)}"
    has_spare = f"SELECT {catalog.HAS_CONSTRAINT}"
    return [
        *add_not_valid_then_validate(tables, spare, definition),
        Step(swap, has_spare, catalog.constraint_parameters(table, spare), alters=tables),
    ]


_COLUMNS_NAMED = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
    " AND attname = ANY (:words)"
)


def add_check_online(table: str, name: str, condition: str, *, replace: bool = False) -> None:
    """Add a CHECK constraint, or put it in the place of another one.

    Args:
        condition: SQL over the table's columns, such as "size < 10".
        replace: a constraint of the name and another definition goes when the new one is validated. One of both holds
            at any time.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT … CHECK (…) NOT VALID
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried. New rows must meet it from now.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.
        ALTER TABLE … DROP CONSTRAINT …; ALTER TABLE … RENAME CONSTRAINT …
            Only to replace one. ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there.

    An expand step may only put a wider CHECK in the place of another: one that takes each row that the other takes, as
    PostgreSQL itself proves (implication.py). Or add one that a row meets which leaves a new column out.

    Raises:
        UnsafeOperation: a row does not meet the condition; the new constraint is dropped again. Or a backfill of one of
            its columns is not done.
        ReleaseError: the table has a constraint of this name and another definition, and it is not to be replaced.
    """
    refuse_while_filling("add_check_online", table=table, name=name, condition=condition)
    broken = f"a row of {table} does not meet {condition}"
    requires = requiring(table, name, _columns_in(table, condition))._replace(check=condition)
    add_constraint(table, name, f"CHECK ({condition})", None, broken, replace, [requires])


def prove_not_null(table: str, name: str, column: str) -> None:
    """A CHECK that a column is not NULL. It is not judged: a trigger fills the column, so no writer has to."""
    add_constraint(table, name, f"CHECK ({quote(column)} IS NOT NULL)", None, f"{table}.{column} holds NULL", False, [])


def add_foreign_key_online(
    name: str,
    table: str,
    referred_table: str,
    columns: Sequence[str],
    referred_columns: Sequence[str],
    *,
    onupdate: str | None = None,
    ondelete: str | None = None,
    deferrable: bool | None = None,
    initially: str | None = None,
    match: str | None = None,
    replace: bool = False,
) -> None:
    """Add a foreign key, or put it in the place of another one. The arguments are those of op.create_foreign_key.

    Args:
        replace: as for add_check_online.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID
            SHARE ROW EXCLUSIVE on both tables, for milliseconds: it blocks writes. Waits at most 300 ms, then is
            retried. New rows must meet it from now.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE on the table and ROW SHARE on the other, while the rows are looked up. May wait until
            the deadline.
        ALTER TABLE … DROP CONSTRAINT …; ALTER TABLE … RENAME CONSTRAINT …
            Only to replace one. ACCESS EXCLUSIVE on both tables, for milliseconds. Waits at most 300 ms, then is
            retried.

    Run again: each statement is skipped when its result is there.

    An expand step may only add one that new rows of the live release leave NULL: on a new column without a default,
    which no trigger fills.

    Raises:
        UnsafeOperation: a row refers to nothing. The new constraint is dropped again.
        ReleaseError: the table has a constraint of this name and another definition, and it is not to be replaced.
    """
    definition = (
        f"FOREIGN KEY ({quoted_list(columns)}) REFERENCES {quote(referred_table)} ({quoted_list(referred_columns)})"
    )
    definition += f" MATCH {match}" if match else ""
    definition += f" ON UPDATE {onupdate}" if onupdate else ""
    definition += f" ON DELETE {ondelete}" if ondelete else ""
    definition += " DEFERRABLE" if deferrable else ""
    definition += f" INITIALLY {initially}" if initially else ""
    broken = f"a row of {table} refers to no {referred_table}"
    left_null = catalog.left_null(table, columns)
    is_full = match == "FULL"
    takes = left_null if not is_full or set(left_null) == set(columns) else []
    requires = requiring(table, name, takes)._replace(leaves_all_out=is_full)
    add_constraint(table, name, definition, referred_table, broken, replace, [requires])


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind.

    SQL:
        ALTER TABLE … DROP CONSTRAINT IF EXISTS …
            ACCESS EXCLUSIVE, for a foreign key on both tables, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such constraint.
    """
    run_steps(drop_step(table, name), effects=dropping(table, name))


def _columns_in(table: str, condition: str) -> list[str]:
    """The columns of the table that the condition names."""
    connection = catalog.connection()
    parameters = {"table": quote(table), "words": re.findall(r"\w+", condition)}
    return list(connection.scalars(_COLUMNS_NAMED, parameters)) if connection else []


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
        needed, parameters = f"SELECT NOT {HAS_CONSTRAINT}", constraint_parameters(table, name)
        run_steps(alter_table(table, f"ADD CONSTRAINT {quote(name)} {attach.format(quote(name))}", needed, parameters))
        return
    spare = spare_name(name)
    create_index_online(spare, table, [*columns], unique=True, replace=True, **options)
    drop = f"DROP CONSTRAINT IF EXISTS {quote(name)}"
    add = f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)} {attach.format(quote(spare))}"
    swap = alter_table(table, f"{drop}; {add}", f"SELECT {HAS_INDEX}", {"index": quote(spare)})
    run_steps(swap, effects=dropping(table, name))
