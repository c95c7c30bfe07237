"""Operations for NOT NULL: add it without a long lock, and drop it."""

from sqlalchemy.exc import IntegrityError

from app.release.effects.effect import Effect, on_table
from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.backfill_later import refuse_while_filling
from app.release.operations.conflicts import NOT_NULL, explain
from app.release.operations.identifiers import shorten_identifier
from app.release.operations.steps import Step, alter_table, run_steps
from app.release.sql.dialect import quote

_HAS_DEFAULT = (
    "(SELECT atthasdef OR attidentity <> '' FROM pg_attribute"
    " WHERE attrelid = to_regclass(:table) AND attname = :column)"
)


def set_not_null_online(table: str, column: str) -> None:
    """Make a column NOT NULL. It must hold no NULL any more; fill it with backfill before.

    A plain SET NOT NULL reads the whole table under ACCESS EXCLUSIVE. PostgreSQL skips that when a validated CHECK
    proves the same (since 12; manual, ALTER TABLE). Validating a CHECK blocks neither reads nor writes.

    SQL, each statement in a transaction of its own:
        ALTER TABLE … ADD CONSTRAINT ck_TABLE_COLUMN_not_null CHECK (… IS NOT NULL) NOT VALID
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        ALTER TABLE … VALIDATE CONSTRAINT …
            SHARE UPDATE EXCLUSIVE, while the table is read. May wait until the deadline.
        ALTER TABLE … ALTER COLUMN … SET NOT NULL
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.
        ALTER TABLE … DROP CONSTRAINT …
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: each statement is skipped when its result is there.

    Raises:
        UnsafeOperation: the column holds NULL; the CHECK is dropped again. Or a backfill of the column is not done.
    """
    refuse_while_filling("set_not_null_online", table=table, column=column)
    explain(table, column, NOT_NULL)
    require_value(table, column, _requires_value(table, column))


def require_value(table: str, column: str, *effects: Effect) -> None:
    """The same, without a judgement when no effect is given: of a column to which a dual write gives its values."""
    check = shorten_identifier(f"ck_{table}_{column}_not_null")
    of_column = catalog.column_parameters(table, column)
    of_check = catalog.constraint_parameters(table, check)
    drop_check = alter_table(table, f"DROP CONSTRAINT {quote(check)}", f"SELECT {catalog.HAS_CONSTRAINT}", of_check)
    try:
        run_steps(
            alter_table(
                table,
                f"ADD CONSTRAINT {quote(check)} CHECK ({quote(column)} IS NOT NULL) NOT VALID",
                f"SELECT {catalog.IS_NULLABLE} AND NOT {catalog.HAS_CONSTRAINT}",
                {**of_column, **of_check},
            ),
            Step(
                f"ALTER TABLE {quote(table)} VALIDATE CONSTRAINT {quote(check)}",
                f"SELECT {catalog.HAS_NOT_VALID_CONSTRAINT}",
                of_check,
            ),
            alter_table(
                table, f"ALTER COLUMN {quote(column)} SET NOT NULL", f"SELECT {catalog.IS_NULLABLE}", of_column
            ),
            drop_check,
            effects=effects,
        )
    except IntegrityError as error:
        run_steps(drop_check)  # a CHECK that is NOT VALID still refuses new rows of the live release
        raise UnsafeOperation(
            f"{table}.{column} still holds NULL, so nothing was required. Fill it before, with backfill({table!r}, …),"
            " then run: flask db upgrade"
        ) from error


def _requires_value(table: str, column: str) -> Effect:
    """A row that leaves the column out is accepted when there is a default."""
    has_default = catalog.answer(_HAS_DEFAULT, catalog.column_parameters(table, column))
    effect = on_table("requires-value", table, *([column] if has_default else []))
    return effect._replace(subject=f"{table}.{column}", column=column)


def drop_not_null_online(table: str, column: str) -> None:
    """Let a column be NULL.

    SQL:
        ALTER TABLE … ALTER COLUMN … DROP NOT NULL
            ACCESS EXCLUSIVE, for milliseconds. Waits at most 300 ms, then is retried.

    Run again: skipped when the column is nullable.
    """
    explain(table, column, NOT_NULL)
    run_steps(
        alter_table(
            table,
            f"ALTER COLUMN {quote(column)} DROP NOT NULL",
            f"SELECT NOT {catalog.IS_NULLABLE}",
            catalog.column_parameters(table, column),
        )
    )
