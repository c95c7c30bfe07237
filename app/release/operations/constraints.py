"""Operations on constraints: ADD … NOT VALID first, VALIDATE CONSTRAINT after it."""

import re
from collections.abc import Sequence

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.release.connection import connection_of
from app.release.effects.effect import on_table
from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.indexes import create_index_online
from app.release.operations.steps import Step, alter_table, run_steps
from app.release.sql.dialect import quote

_COLUMNS_NAMED = text(
    "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
    " AND attname = ANY (:words)"
)


def add_check_online(table: str, name: str, condition: str) -> None:
    """Add a CHECK constraint.

    Args:
        condition: SQL over the table's columns, such as "size < 10".

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT … CHECK (…) NOT VALID
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried. New rows must meet it from now.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.

    Run again: each statement is skipped when its result is there. A constraint counts as there when its name is; its
    condition is not compared.

    Raises:
        UnsafeOperation: a row does not meet the condition. The constraint is dropped again.
    """
    broken = f"a row of {table} does not meet {condition}"
    columns = _columns_in(table, condition)
    _add_not_valid_then_validate((table,), name, f"CHECK ({condition})", columns, broken)


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
) -> None:
    """Add a foreign key. The arguments are those of op.create_foreign_key.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID
            SHARE ROW EXCLUSIVE on both tables, for milliseconds: it blocks writes. Waits at most 300 ms, then is
            retried. New rows must meet it from now.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE on the table and ROW SHARE on the other, while the rows are looked up. May wait until
            the deadline.

    Run again: each statement is skipped when its result is there. A constraint counts as there when its name is.

    Raises:
        UnsafeOperation: a row refers to nothing. The constraint is dropped again.
    """
    definition = f"FOREIGN KEY ({_list(columns)}) REFERENCES {quote(referred_table)} ({_list(referred_columns)})"
    definition += f" ON UPDATE {onupdate}" if onupdate else ""
    definition += f" ON DELETE {ondelete}" if ondelete else ""
    definition += " DEFERRABLE" if deferrable else ""
    definition += f" INITIALLY {initially}" if initially else ""
    broken = f"a row of {table} refers to no {referred_table}"
    _add_not_valid_then_validate((table, referred_table), name, definition, columns, broken)


def add_unique_online(table: str, name: str, columns: list[str]) -> None:
    """Add a UNIQUE constraint: build its index concurrently, then attach it.

    SQL, each statement in a transaction of its own:
        DROP INDEX CONCURRENTLY IF EXISTS …
            Only when a build that failed left an INVALID index.
        CREATE UNIQUE INDEX CONCURRENTLY …
            SHARE UPDATE EXCLUSIVE, while the table is read twice. May wait until the deadline.
        ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: two rows are the same. The index is dropped again.
        ReleaseError: another index has the name.
    """
    create_index_online(name, table, [*columns], unique=True)
    run_steps(
        alter_table(
            table,
            f"ADD CONSTRAINT {quote(name)} UNIQUE USING INDEX {quote(name)}",
            f"SELECT NOT {catalog.HAS_CONSTRAINT}",
            catalog.constraint_parameters(table, name),
        )
    )


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind.

    SQL:
        ALTER TABLE … DROP CONSTRAINT IF EXISTS …
            ACCESS EXCLUSIVE, for a foreign key on both tables, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when there is no such constraint.
    """
    run_steps(
        alter_table(
            table,
            f"DROP CONSTRAINT IF EXISTS {quote(name)}",
            f"SELECT {catalog.HAS_CONSTRAINT}",
            catalog.constraint_parameters(table, name),
        ),
        effects=[on_table("drops-constraint", table, name)] if _is_relied_on(table, name) else [],
    )


def _columns_in(table: str, condition: str) -> list[str]:
    """The columns of the table that the condition names."""
    migration = op.get_context()
    if migration.as_sql:
        return []
    parameters = {"table": quote(table), "words": re.findall(r"\w+", condition)}
    return list(connection_of(migration).scalars(_COLUMNS_NAMED, parameters))


def _is_relied_on(table: str, name: str) -> bool:
    """Whether code may count on a constraint; see effects/constraints.py. False when there is none."""
    migration = op.get_context()
    if migration.as_sql:
        return False
    query = text(f"SELECT {catalog.IS_RELIED_ON}")
    return bool(connection_of(migration).scalar(query, catalog.constraint_parameters(table, name)))


def _add_not_valid_then_validate(
    tables: tuple[str, ...], name: str, definition: str, columns: Sequence[str], broken: str
) -> None:
    """In two transactions. In one, the lock of the first statement would be held while the second reads the table.

    Args:
        tables: the table, and the one that a foreign key refers to.
        columns: that it looks at.
        broken: the message when a row does not meet the constraint.
    """
    alter = f"ALTER TABLE {quote(tables[0])}"
    parameters = catalog.constraint_parameters(tables[0], name)
    add = f"{alter} ADD CONSTRAINT {quote(name)} {definition} NOT VALID"
    validate = f"{alter} VALIDATE CONSTRAINT {quote(name)}"
    try:
        run_steps(
            Step(add, f"SELECT NOT {catalog.HAS_CONSTRAINT}", parameters, alters=tables),
            Step(validate, f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}", parameters),
            effects=[on_table("requires-more", tables[0], *columns)._replace(subject=name)],
        )
    except IntegrityError as error:
        # NOT VALID still refuses new rows of the live release.
        drop_constraint_online(tables[0], name)
        raise UnsafeOperation(f"{broken}, so {name} cannot hold. Mend the rows, then run: flask db upgrade") from error


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote(column) for column in columns)
