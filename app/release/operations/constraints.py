"""Operations on CHECK constraints and foreign keys: ADD … NOT VALID first, VALIDATE CONSTRAINT after it."""

import re
from collections.abc import Sequence

from sqlalchemy import text

from app.release.operations import catalog
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.constraint_steps import add_constraint, drop_step, dropping, requiring
from app.release.operations.steps import run_steps
from app.release.sql.dialect import quote, quoted_list

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
