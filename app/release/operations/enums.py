"""Operations for enums: a new value of a type of the database, and a CHECK with other values than before."""

from alembic import op
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.release.connection import connection_of, execute_verbatim
from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.identifiers import shorten_identifier
from app.release.operations.steps import Step, alter_table, run_steps
from app.release.sql.dialect import literal, quote

_DEFINITION = text(
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint AND convalidated"
)


def add_enum_value_online(enum: str, value: str, *, before: str | None = None) -> None:
    """Add a value to an enum type. No table is locked, and no row is read.

    Code that does not know the value fails when it reads it. So the first release knows it, and a later one writes it.

    Args:
        enum: the name of the type.
        before: the value in front of which it sorts; None: at the end.

    SQL:
        ALTER TYPE … ADD VALUE IF NOT EXISTS …
            No lock on a table.

    Run again: skipped when the type has the value.
    """
    add = f"ALTER TYPE {quote(enum)} ADD VALUE IF NOT EXISTS {literal(value)}"
    add += f" BEFORE {literal(before)}" if before else ""
    has_value = "EXISTS (SELECT FROM pg_enum WHERE enumtypid = CAST(:enum AS regtype) AND enumlabel = :value)"
    run_steps(Step(add, f"SELECT NOT {has_value}", {"enum": quote(enum), "value": value}))


def replace_check_online(table: str, name: str, condition: str) -> None:
    """Give a CHECK another condition. At no moment is the table without one of the two.

    Args:
        condition: SQL over the table's columns.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT name_next CHECK (…) NOT VALID
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried. From now on new rows must meet
            both.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.
        ALTER TABLE … DROP CONSTRAINT IF EXISTS name; ALTER TABLE … RENAME CONSTRAINT name_next TO name
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there; all of them when the CHECK has the condition.

    Raises:
        UnsafeOperation: a row does not meet the condition, or a backfill of one of its columns is not done. The CHECK
            stays as it was.
    """
    refuse_while_filling("replace_check_online", table=table, name=name, condition=condition)
    following = shorten_identifier(f"{name}_next")
    alter = f"ALTER TABLE {quote(table)}"
    parameters = catalog.constraint_parameters(table, following)
    drop = alter_table(table, f"DROP CONSTRAINT {quote(following)}", f"SELECT {catalog.HAS_CONSTRAINT}", parameters)
    if _is_done_or_stale(table, name, following, condition, drop):
        return
    swap = f"{alter} DROP CONSTRAINT IF EXISTS {quote(name)}; {alter} RENAME CONSTRAINT {quote(following)} TO"
    try:
        run_steps(
            alter_table(
                table,
                f"ADD CONSTRAINT {quote(following)} CHECK ({condition}) NOT VALID",
                f"SELECT NOT {catalog.HAS_CONSTRAINT}",
                parameters,
            ),
            Step(
                f"{alter} VALIDATE CONSTRAINT {quote(following)}",
                f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}",
                parameters,
            ),
            Step(f"{swap} {quote(name)}", f"SELECT {catalog.HAS_CONSTRAINT}", parameters, alters=(table,)),
        )
    except IntegrityError as error:
        run_steps(drop)
        raise UnsafeOperation(
            f"A row of {table} does not meet {condition}, so {name} stays as it was. Mend the rows, then run the"
            " command again."
        ) from error


def _is_done_or_stale(table: str, name: str, following: str, condition: str, drop: Step) -> bool:
    """Whether the CHECK has the condition. One that an earlier attempt left with another condition is dropped."""
    migration = op.get_context()
    if migration.as_sql:
        return False
    with migration.autocommit_block():
        connection = connection_of(migration)
        copy = f"CREATE TEMP TABLE check_copy (LIKE {quote(table)}); ALTER TABLE check_copy ADD CONSTRAINT wanted"
        try:
            execute_verbatim(connection, f"BEGIN; {copy} CHECK ({condition})")
            wanted = connection.scalar(_DEFINITION, {"table": "pg_temp.check_copy", "constraint": "wanted"})
        finally:
            execute_verbatim(connection, "ROLLBACK")
        present = connection.scalar(_DEFINITION, catalog.constraint_parameters(table, name))
        left = connection.scalar(_DEFINITION, catalog.constraint_parameters(table, following))
    if left not in (None, wanted):
        run_steps(drop)
    return bool(present == wanted)
