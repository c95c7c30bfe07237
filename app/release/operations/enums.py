"""Operation on enum types of the database: a new value."""

from app.release.operations.steps import Step, run_steps
from app.release.sql.dialect import literal, quote


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
