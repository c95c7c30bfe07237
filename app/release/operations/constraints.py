"""Constraints on tables that are in use: written down first, then proved for the rows that are there."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from app.release.errors import UnsafeOperation
from app.release.operations import catalog
from app.release.operations.indexes import create_index_online
from app.release.operations.steps import Step, quote, run


def add_check_online(table: str, name: str, condition: str) -> None:
    """Hold a condition for every row: new ones at once, the ones that are there after they were read.

    Args:
        condition: SQL over the table's columns.

    Raises:
        UnsafeOperation: a row does not meet it; no constraint is left.
    """
    _add_then_validate((table,), name, f"CHECK ({condition})", f"a row of {table} does not meet {condition}")


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
    """Let a table refer to another; the arguments are those of op.create_foreign_key.

    Raises:
        UnsafeOperation: a row refers to nothing; no constraint is left.
    """
    definition = f"FOREIGN KEY ({_list(columns)}) REFERENCES {quote(referred_table)} ({_list(referred_columns)})"
    definition += f" ON UPDATE {onupdate}" if onupdate else ""
    definition += f" ON DELETE {ondelete}" if ondelete else ""
    definition += " DEFERRABLE" if deferrable else ""
    definition += f" INITIALLY {initially}" if initially else ""
    _add_then_validate((table, referred_table), name, definition, f"a row of {table} refers to no {referred_table}")


def add_unique_online(table: str, name: str, columns: list[str]) -> None:
    """Let no two rows be the same: the index is built beside the traffic, and the constraint takes it over.

    Raises:
        UnsafeOperation: two rows are the same; no index is left.
    """
    create_index_online(name, table, [*columns], unique=True)
    run(
        Step(
            f"ALTER TABLE {quote(table)} ADD CONSTRAINT {quote(name)} UNIQUE USING INDEX {quote(name)}",
            f"SELECT NOT {catalog.HAS_CONSTRAINT}",
            _names(table, name),
            alters=(table,),
        )
    )


def drop_constraint_online(table: str, name: str) -> None:
    """Drop a constraint of any kind."""
    run(
        Step(
            f"ALTER TABLE {quote(table)} DROP CONSTRAINT IF EXISTS {quote(name)}",
            f"SELECT {catalog.HAS_CONSTRAINT}",
            _names(table, name),
            alters=(table,),
        )
    )


def _add_then_validate(tables: tuple[str, ...], name: str, definition: str, broken: str) -> None:
    """Two transactions: in one, the lock of the first would last for the reading of the second."""
    alter = f"ALTER TABLE {quote(tables[0])}"
    names = _names(tables[0], name)
    try:
        run(
            Step(
                f"{alter} ADD CONSTRAINT {quote(name)} {definition} NOT VALID",
                f"SELECT NOT {catalog.HAS_CONSTRAINT}",
                names,
                alters=tables,
            ),
            Step(f"{alter} VALIDATE CONSTRAINT {quote(name)}", f"SELECT {catalog.HAS_UNCHECKED_CONSTRAINT}", names),
        )
    except IntegrityError as error:
        drop_constraint_online(tables[0], name)  # half a rule would refuse writes of the release that is live
        raise UnsafeOperation(f"{broken}, so {name} cannot hold. Mend the rows, then run: flask db upgrade") from error


def _names(table: str, constraint: str) -> dict[str, str]:
    return {"table": quote(table), "constraint": constraint}


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote(column) for column in columns)
