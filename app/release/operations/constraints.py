"""Operations on CHECK constraints and foreign keys: ADD … NOT VALID first, VALIDATE CONSTRAINT after it."""

import re
from collections.abc import Sequence

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.release.connection import connection_of
from app.release.effects.effect import Effect, on_table
from app.release.errors import UnsafeOperation
from app.release.operations import catalog, conflicts
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.identifiers import require_short, spare_name
from app.release.operations.steps import Step, alter_table, run_steps
from app.release.sql.dialect import quote

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

    Raises:
        UnsafeOperation: a row does not meet the condition; the new constraint is dropped again. Or a backfill of one of
            its columns is not done.
        ReleaseError: the table has a constraint of this name and another definition, and it is not to be replaced.
    """
    refuse_while_filling("add_check_online", table=table, name=name, condition=condition)
    broken = f"a row of {table} does not meet {condition}"
    effects = [_requiring(table, name, _columns_in(table, condition))]
    _add(table, name, f"CHECK ({condition})", None, broken, replace, effects)


def prove_not_null(table: str, name: str, column: str) -> None:
    """A CHECK that a column is not NULL. It is not judged: a trigger fills the column, so no writer has to."""
    _add(table, name, f"CHECK ({quote(column)} IS NOT NULL)", None, f"{table}.{column} holds NULL", False, [])


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

    Raises:
        UnsafeOperation: a row refers to nothing. The new constraint is dropped again.
        ReleaseError: the table has a constraint of this name and another definition, and it is not to be replaced.
    """
    definition = f"FOREIGN KEY ({_list(columns)}) REFERENCES {quote(referred_table)} ({_list(referred_columns)})"
    definition += f" MATCH {match}" if match else ""
    definition += f" ON UPDATE {onupdate}" if onupdate else ""
    definition += f" ON DELETE {ondelete}" if ondelete else ""
    definition += " DEFERRABLE" if deferrable else ""
    definition += f" INITIALLY {initially}" if initially else ""
    broken = f"a row of {table} refers to no {referred_table}"
    _add(table, name, definition, referred_table, broken, replace, [_requiring(table, name, columns)])


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind.

    SQL:
        ALTER TABLE … DROP CONSTRAINT IF EXISTS …
            ACCESS EXCLUSIVE, for a foreign key on both tables, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such constraint.
    """
    run_steps(_drop(table, name), effects=dropping(table, name))


def dropping(table: str, name: str) -> list[Effect]:
    """What it means to code that may count on a constraint when that goes; see effects/constraints.py."""
    migration = op.get_context()
    if migration.as_sql:
        return []
    query = text(f"SELECT {catalog.IS_RELIED_ON}")
    is_relied_on = connection_of(migration).scalar(query, catalog.constraint_parameters(table, name))
    return [on_table("drops-constraint", table, name)] if is_relied_on else []


def _requiring(table: str, name: str, columns: Sequence[str]) -> Effect:
    """What a constraint that looks at these columns asks of new rows."""
    return on_table("requires-more", table, *columns)._replace(subject=name)


def _columns_in(table: str, condition: str) -> list[str]:
    """The columns of the table that the condition names."""
    migration = op.get_context()
    if migration.as_sql:
        return []
    parameters = {"table": quote(table), "words": re.findall(r"\w+", condition)}
    return list(connection_of(migration).scalars(_COLUMNS_NAMED, parameters))


def _add(
    table: str, name: str, definition: str, referred: str | None, broken: str, replace: bool, effects: list[Effect]
) -> None:
    """Add a constraint, unless the same is there.

    Args:
        referred: the table that a foreign key refers to.
        broken: the message when a row does not meet the constraint.
    """
    require_short(name)
    there = conflicts.other_constraint(table, name, definition, referred)
    if there and not replace:
        raise conflicts.refusal(table, "constraint", name, there, definition)
    tables = (table, referred) if referred else (table,)
    replaces = conflicts.replaces(there, replace)
    if replaces:
        steps, effects = _replace(tables, name, definition), [*effects, *dropping(table, name)]
    else:
        steps = _add_not_valid_then_validate(tables, name, definition)
    try:
        run_steps(*steps, effects=effects)
    except IntegrityError as error:
        # NOT VALID still refuses new rows of the live release.
        run_steps(_drop(table, spare_name(name) if replaces else name))
        raise UnsafeOperation(f"{broken}, so {name} cannot hold. Mend the rows, then run: flask db upgrade") from error


def _drop(table: str, name: str) -> Step:
    parameters = catalog.constraint_parameters(table, name)
    return alter_table(
        table, f"DROP CONSTRAINT IF EXISTS {quote(name)}", f"SELECT {catalog.HAS_CONSTRAINT}", parameters
    )


def _add_not_valid_then_validate(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """In two transactions. In one, the lock of the first statement would be held while the second reads the table."""
    alter = f"ALTER TABLE {quote(tables[0])}"
    parameters = catalog.constraint_parameters(tables[0], name)
    add = f"{alter} ADD CONSTRAINT {quote(name)} {definition} NOT VALID"
    validate = f"{alter} VALIDATE CONSTRAINT {quote(name)}"
    return [
        Step(add, f"SELECT NOT {catalog.HAS_CONSTRAINT}", parameters, alters=tables),
        Step(validate, f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}", parameters),
    ]


def _replace(tables: tuple[str, ...], name: str, definition: str) -> list[Step]:
    """Validate the new one under a spare name. Then the old one goes and the new one takes its name, in one moment."""
    table, spare = tables[0], spare_name(name)
    if conflicts.other_constraint(table, spare, definition, *tables[1:]):
        run_steps(_drop(table, spare))  # of an attempt with a definition that was mended since
    alter = f"ALTER TABLE {quote(table)}"
    swap = f"{alter} DROP CONSTRAINT IF EXISTS {quote(name)}; {alter} RENAME CONSTRAINT {quote(spare)} TO {quote(name)}"
    has_spare = f"SELECT {catalog.HAS_CONSTRAINT}"
    return [
        *_add_not_valid_then_validate(tables, spare, definition),
        Step(swap, has_spare, catalog.constraint_parameters(table, spare), alters=tables),
    ]


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote(column) for column in columns)
