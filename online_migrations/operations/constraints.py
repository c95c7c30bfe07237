"""Add a CHECK, a foreign key, a UNIQUE or a primary key; put one in the place of another; drop one.

What reads the table runs beside the traffic: VALIDATE CONSTRAINT, or the build of an index. A short lock is enough.
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
from online_migrations.operations.columns import set_not_null_online, validate
from online_migrations.operations.indexes import create_index_online
from online_migrations.operations.names import require_short, spare_name
from online_migrations.operations.steps import Step, alter, run_steps, strong
from online_migrations.sql import quote, quoted_list


def add_check_online(table: str, name: str, condition: str, *, replace: bool = False) -> None:
    """Add a CHECK constraint, or put it in the place of another one.

    Contract, if the previous release may write what it refuses. On a new column it is expand, if NULL or the column's
    default meets it, whatever stands in the others. To replace one is expand if PostgreSQL's planner proves that the
    new one takes each row that the other takes, such as size < 20 after size < 10; else there is excused("…").

    Args:
        condition: SQL over the table's columns, such as "size < 10".
        replace: a constraint of the name and another definition goes when the new one is validated. One of both holds
            at any time.

    Example: add_check_online("notes", "ck_notes_colour", "colour IN ('yellow', 'blue')")
    SQL: ADD CONSTRAINT … NOT VALID, short; new rows must meet it from now. VALIDATE CONSTRAINT reads the table, until
        the deadline. To replace one: DROP CONSTRAINT …; RENAME CONSTRAINT …, short.
    Downgrade: drop_constraint_online; of a replacement, the same call with the condition of before.
    Raises:
        UnsafeOperation: a row does not meet the condition; the new constraint is dropped again.
    """
    refuse_while_filling("add_check_online", table=table, name=name, condition=condition)
    connection = catalog.connection()
    words = {"table": quote(table), "words": re.findall(r"\w+", condition)}
    columns = list(connection.scalars(_COLUMNS_NAMED, words)) if connection else []
    requires = [_requiring(table, name, columns)._replace(check=condition)]
    _add(table, name, f"CHECK ({condition})", None, f"a row of {table} does not meet {condition}", replace, requires)


_COLUMNS_NAMED = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
    " AND attname = ANY (:words)"
)


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

    Contract, if the previous release may write what it refuses. Expand on a new column that new rows of the live
    release leave NULL: without a default, and filled by no trigger.

    Example: add_foreign_key_online("fk_notes_users", "notes", "users", ["user_id"], ["id"])
    SQL: ADD CONSTRAINT … NOT VALID, short, on both tables; it blocks writes, not reads. VALIDATE CONSTRAINT looks the
        rows up, until the deadline; also ROW SHARE on the other table. To replace one: as add_check_online, on both.
    Downgrade: drop_constraint_online.
    Raises:
        UnsafeOperation: a row refers to nothing. The new constraint is dropped again.
    """
    refers = f"REFERENCES {quote(referred_table)} ({quoted_list(referred_columns)})"
    options = {"MATCH": match, "ON UPDATE": onupdate, "ON DELETE": ondelete}
    given = "".join(f" {option} {value}" for option, value in options.items() if value)
    definition = f"FOREIGN KEY ({quoted_list(columns)}) {refers}{given}{_deferral(deferrable, initially)}"
    left_null = catalog.left_null(table, columns)
    is_full = match == "FULL"
    takes = left_null if not is_full or set(left_null) == set(columns) else []
    requires = [_requiring(table, name, takes)._replace(leaves_all_out=is_full)]
    _add(table, name, definition, referred_table, f"a row of {table} refers to no {referred_table}", replace, requires)


def _deferral(deferrable: bool | None, initially: str | None) -> str:
    return (" DEFERRABLE" if deferrable else "") + (f" INITIALLY {initially}" if initially else "")


def prove_not_null(table: str, name: str, column: str) -> None:
    """Add a CHECK that a column is not NULL. It is not judged: a trigger fills the column, so no writer has to."""
    _add(table, name, f"CHECK ({quote(column)} IS NOT NULL)", None, f"{table}.{column} holds NULL", False, [])


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind. Expand if it only refuses: a CHECK, or a foreign key without an action.

    Contract of a key, or of a foreign key that deletes or updates what refers to a row: old code may rely on it.

    Example: drop_constraint_online("notes", "ck_notes_colour")
    SQL: ALTER TABLE … DROP CONSTRAINT IF EXISTS …, short; for a foreign key on both tables.
    Downgrade: the operation that adds it.
    """
    run_steps(_drop(table, name), effects=_dropping(table, name))


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

    Contract on columns that the previous release writes.

    Args:
        include: columns that the index holds besides.
        replace: a constraint of the name and another definition goes in the moment in which the new one is attached.

    Example: add_unique_online("users", "uq_users_image_url", ["image_url"])
    SQL: the index as by create_index_online, until the deadline. ADD CONSTRAINT … UNIQUE USING INDEX …, short.
    Downgrade: drop_constraint_online, which drops the index too.
    Raises:
        UnsafeOperation: two rows are the same; the index is dropped again.
    """
    refuse_while_filling("add_unique_online", table=table, name=name, columns=columns)
    key = f"{'NULLS NOT DISTINCT ' if nulls_not_distinct else ''}({quoted_list(columns)})"
    key += f" INCLUDE ({quoted_list(include)})" if include else ""
    when = _deferral(deferrable, initially)
    options: dict[str, Any] = {"postgresql_nulls_not_distinct": True} if nulls_not_distinct else {}
    if include:
        options["postgresql_include"] = list(include)
    _attach(table, name, columns, f"UNIQUE {key}{when}", f"UNIQUE USING INDEX {{}}{when}", replace, options)


def add_primary_key_online(table: str, name: str, columns: list[str], *, replace: bool = False) -> None:
    """Add a PRIMARY KEY, or put it in the place of another one. Its columns become NOT NULL, as by set_not_null_online.

    A foreign key that refers to the old key is in the way: PostgreSQL refuses, and nothing is changed. Contract.

    Example: add_primary_key_online("notes", "pk_notes", ["user_id"])
    SQL: as set_not_null_online and add_unique_online.
    Downgrade: drop_constraint_online, or the same call with the columns of before.
    Raises:
        UnsafeOperation: two rows are the same, or a column holds NULL; the index is dropped again.
    """
    refuse_while_filling("add_primary_key_online", table=table, name=name, columns=columns)
    for column in columns:
        set_not_null_online(table, column)
    _attach(table, name, columns, f"PRIMARY KEY ({quoted_list(columns)})", "PRIMARY KEY USING INDEX {}", replace, {})


def _attach(
    table: str, name: str, columns: list[str], definition: str, attach: str, replace: bool, options: dict[str, Any]
) -> None:
    """Build an index, and make it a constraint, as `attach` says with {} in place of the index."""
    if _there(table, name, definition, None, replace) is None:
        create_index_online(name, table, [*columns], unique=True, **options)
        add = alter(table, f"ADD CONSTRAINT {quote(name)} {attach.format(quote(name))}")
        run_steps(strong(table, add, unless=catalog.has_constraint(table, name)))
        return
    spare = spare_name(name)
    create_index_online(spare, table, [*columns], unique=True, replace=True, **options)
    drop = alter(table, f"DROP CONSTRAINT IF EXISTS {quote(name)}")
    add = alter(table, f"ADD CONSTRAINT {quote(name)} {attach.format(quote(spare))}")
    run_steps(strong(table, f"{drop}; {add}", when=catalog.has_index(spare)), effects=_dropping(table, name))


def _there(table: str, name: str, definition: str, referred: str | None, replace: bool) -> str | None:
    """Return the other constraint that is to be replaced, "" if nobody can tell (--sql); None: there is none."""
    require_short(name)
    return conflicts.to_replace(
        table, "constraint", name, conflicts.other_constraint(table, name, definition, referred), definition, replace
    )


def _add(
    table: str, name: str, definition: str, referred: str | None, broken: str, replace: bool, requires: list[Effect]
) -> None:
    """Add a constraint, unless the same is there. `broken` is said when a row does not meet it."""
    there = _there(table, name, definition, referred, replace)
    tables = (table, referred) if referred else (table,)
    if there is not None:
        steps, effects = _replace(tables, name, definition), _replacing(table, name, there, definition, requires)
    else:  # if it is there, it asks nothing that it does not ask already
        effects = [] if catalog.has_constraint(table, name).answer() else requires
        steps = add_not_valid_then_validate(tables, name, definition)
    try:
        run_steps(*steps, effects=effects)
    except IntegrityError as error:
        # NOT VALID still refuses new rows of the live release.
        run_steps(_drop(table, name if there is None else spare_name(name)))
        raise UnsafeOperation(f"{broken}, so {name} cannot hold. Fix the rows, then run: flask db upgrade") from error


def add_not_valid_then_validate(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """Add it in two transactions: in one, the lock of the first would be held while the second reads the table."""
    add = alter(tables[0], f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID")
    is_there = catalog.has_constraint(tables[0], name)
    return [strong(tables, add, unless=is_there, mode="SHARE ROW EXCLUSIVE"), validate(tables[0], name)]


def take_name(tables: tuple[str, ...], name: str, spare: str, *, drop: str) -> Step:
    """Drop a constraint and give its name to another one, in one moment."""
    rename = alter(tables[0], f"RENAME CONSTRAINT {quote(spare)} TO {quote(name)}")
    sql = f"{alter(tables[0], f'{drop} {quote(name)}')}; {rename}"
    return strong(tables, sql, when=catalog.has_constraint(tables[0], spare))


def _replace(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """Validate the new one under a spare name. Then the old one goes and the new one takes its name."""
    table, spare = tables[0], spare_name(name)
    if conflicts.other_constraint(table, spare, definition, *tables[1:]):
        run_steps(_drop(table, spare))  # of an attempt with a definition that was fixed since
    return [
        *add_not_valid_then_validate(tables, spare, definition),
        take_name(tables, name, spare, drop="DROP CONSTRAINT IF EXISTS"),
    ]


def _drop(table: str, name: str) -> Step:
    sql = alter(table, f"DROP CONSTRAINT IF EXISTS {quote(name)}")
    return strong(catalog.tables_locked(table, constraint=name), sql, when=catalog.has_constraint(table, name))


def _requiring(table: str, name: str, columns: Sequence[str]) -> Effect:
    """Return what a constraint asks of new rows, which it takes when one of these columns is left out."""
    return on_table("requires-more", table, *columns)._replace(subject=name)


def _dropping(table: str, name: str) -> list[Effect]:
    """Return what it means to code that may rely on a constraint when that goes."""
    found = catalog.relied_on(table, name).answer()
    if found is None:
        return []
    kind, *columns = found
    if kind == "f":
        return [on_table("drops-constraint", table, name)]
    return [on_table("drops-unique", table, *columns)._replace(subject=name, unique=name)]


def _replacing(table: str, name: str, there: str, definition: str, requires: list[Effect]) -> list[Effect]:
    """Return what it means that another constraint takes the place of one. A wider CHECK asks nothing more."""
    if not (there.startswith("CHECK") and definition.startswith("CHECK")):
        return [*requires, *_dropping(table, name)]
    connection = catalog.connection()
    is_wider = connection is not None and takes_all(connection, table, there, definition)
    return [] if is_wider else [effect._replace(code="narrows-check") for effect in requires]
