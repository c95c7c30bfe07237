"""Requiring a value, and requiring it no longer."""

from sqlalchemy.exc import IntegrityError

from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.names import shortened
from app.release.operations.steps import Step, quote, run


def set_not_null_online(table: str, column: str) -> None:
    """Require a column that holds no NULL any more.

    SET NOT NULL reads the whole table under a lock that stops every request, unless a validated CHECK has proved the
    same before; validating one stops nobody.

    Raises:
        UnsafeOperation: the column still holds a NULL.
    """
    check = shortened(f"ck_{table}_{column}_not_null")
    where = {"table": quote(table), "column": column}
    named = {"table": quote(table), "constraint": check}
    alter = f"ALTER TABLE {quote(table)}"
    drop = Step(f"{alter} DROP CONSTRAINT {quote(check)}", f"SELECT {catalog.HAS_CONSTRAINT}", named, (table,))
    try:
        run(
            Step(
                f"{alter} ADD CONSTRAINT {quote(check)} CHECK ({quote(column)} IS NOT NULL) NOT VALID",
                f"SELECT {catalog.IS_NULLABLE} AND NOT {catalog.HAS_CONSTRAINT}",
                {**where, **named},
                alters=(table,),
            ),
            Step(
                f"{alter} VALIDATE CONSTRAINT {quote(check)}",
                f"SELECT {catalog.HAS_UNCHECKED_CONSTRAINT}",
                named,
            ),
            Step(
                f"{alter} ALTER COLUMN {quote(column)} SET NOT NULL",
                f"SELECT {catalog.IS_NULLABLE}",
                where,
                alters=(table,),
            ),
            drop,
        )
    except IntegrityError as error:
        run(drop)  # half a rule would refuse the inserts of the release that is live
        raise UnsafeOperation(
            f"{table}.{column} still holds NULL, so nothing was required. Fill it before, with backfill({table!r}, …),"
            " then run: flask db upgrade"
        ) from error


def drop_not_null_online(table: str, column: str) -> None:
    """Let a column be NULL."""
    run(
        Step(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} DROP NOT NULL",
            f"SELECT NOT {catalog.IS_NULLABLE}",
            {"table": quote(table), "column": column},
            alters=(table,),
        )
    )
