"""Adding, replacing and dropping a constraint: the steps of constraints.py, and what they mean to the live release."""

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from app.release.effects.effect import Effect, on_table
from app.release.errors import UnsafeOperation
from app.release.implication import takes_all
from app.release.operations import catalog, conflicts
from app.release.operations.identifiers import require_short, spare_name
from app.release.operations.steps import Step, run_steps
from app.release.sql import locks
from app.release.sql.dialect import quote


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
        Step(add, f"SELECT NOT {catalog.HAS_CONSTRAINT}", parameters, alters=tables, mode=locks.SHARE_ROW_EXCLUSIVE),
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
