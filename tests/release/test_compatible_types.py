"""Compatible types: code of the old type, as it was written, reads, writes, finds and orders as it did.

Each pair is tried with code of the old type on a column of the new one. Pairs that look alike fail in one of these.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, MetaData, Table
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import DBAPIError

from app.release.compatible_types import conversion
from app.release.operations import change_type_online
from app.release.sql.dialect import DIALECT
from tests.release.migrating import Database

Type = sa.types.TypeEngine[Any]


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


# Name: old type, new type, values of before, a value that old code writes afterwards.
COMPATIBLE: dict[str, tuple[Type, Type, list[Any], Any]] = {
    "smallint to integer": (sa.SmallInteger(), sa.Integer(), [-32768, 0, 32767, None], 7),
    "smallint to bigint": (sa.SmallInteger(), sa.BigInteger(), [-32768, 0, 32767, None], 7),
    "integer to bigint": (sa.Integer(), sa.BigInteger(), [-(2**31), 0, 2**31 - 1, None], 7),
    "real to double": (sa.REAL(), sa.Double(), [0.1, -2.5e30, 0.0, float("inf"), None], 0.3),
    "float(24) to float": (sa.Float(24), sa.Float(), [0.1, -2.5e30, 0.0, None], 0.3),
    "json to jsonb": (sa.JSON(), pg.JSONB(), [{"b": [1, 1.50, "é"], "a": None}, [], "text", 3], {"c": {"d": 1}}),
    "numeric, more digits": (
        sa.Numeric(5, 2),
        sa.Numeric(9, 2),
        [Decimal("999.99"), Decimal("-1.5"), None],
        Decimal(7),
    ),
    "numeric, finer": (sa.Numeric(5, 2), sa.Numeric(7, 4), [Decimal("999.99"), Decimal("-1.5"), None], Decimal(7)),
    "numeric without limit": (sa.Numeric(5, 2), sa.Numeric(), [Decimal("999.99"), None], Decimal(7)),
}
INCOMPATIBLE: dict[str, tuple[Type, Type, list[Any], Any]] = {
    "integer to numeric": (sa.Integer(), sa.Numeric(), [1, 2], 3),
    "integer to text": (sa.Integer(), sa.Text(), [9, 10], 11),
    "text to integer": (sa.Text(), sa.Integer(), ["9", "10"], "11"),
    "char to text": (sa.CHAR(5), sa.Text(), ["ab", "b"], "c"),
    "enum to text": (sa.Enum(Mood, name="mood"), sa.Text(), [Mood.GOOD, Mood.BAD], Mood.GOOD),
    "date to timestamp": (sa.Date(), sa.DateTime(), [sa.func.current_date()], sa.func.current_date()),
    "timestamp with a zone": (sa.DateTime(), sa.DateTime(timezone=True), [sa.func.localtimestamp()], sa.func.now()),
    "boolean to integer": (sa.Boolean(), sa.Integer(), [True, False], True),
    "jsonb to text": (pg.JSONB(), sa.Text(), [{"a": 1}], {"b": 2}),
}


def table_of(type_: Type) -> Table:
    return Table("things", MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", type_))


def observed(engine: Engine, things: Table, values: list[Any], written: Any) -> list[Any]:
    """What code that maps the column so sees: its values with their classes, those it finds, and their order."""
    value = things.c.value
    with engine.begin() as connection:
        seen: list[Any] = [
            (type(row.value).__name__, row.value) for row in connection.execute(sa.select(things).order_by("id"))
        ]
        has_equality = not isinstance(value.type, sa.JSON)
        if has_equality:
            for wanted in filter(is_exact, values):
                seen.append(list(connection.scalars(sa.select(things.c.id).where(value == wanted).order_by("id"))))
            seen.append(list(connection.scalars(sa.select(things.c.id).order_by(value, things.c.id))))
        connection.execute(sa.insert(things).values(id=100, value=written))
        connection.execute(sa.update(things).where(things.c.id == 1).values(value=written))
        stored = connection.scalar(sa.select(value).where(things.c.id == 100))
        seen += [stored, type(stored).__name__, connection.scalar(sa.select(value).where(things.c.id == 1))]
        connection.rollback()
    return seen


def is_exact(value: Any) -> bool:
    """A real is not equal to the 0.1 that was stored in it. A double is: there, old code finds what it looks for."""
    return not isinstance(value, float) or value in (0.0, float("inf"))


def prepared(database: Database, type_: Type, values: list[Any]) -> Table:
    things = table_of(type_)
    things.create(database.engine)
    with database.engine.begin() as connection:
        for number, value in enumerate(values, start=1):
            connection.execute(sa.insert(things).values(id=number, value=value))
    return things


@pytest.mark.parametrize(("old", "new", "values", "written"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_old_code_does_not_notice_a_compatible_type(
    database: Database, old: Type, new: Type, values: list[Any], written: Any
) -> None:
    things = prepared(database, old, values)
    before = observed(database.engine, things, values, written)
    name = new.compile(dialect=DIALECT)
    using = conversion(old.compile(dialect=DIALECT), name)
    assert using is not None
    database.migrate(lambda: change_type_online("things", "value", name, using=using.format(column="value", type=name)))
    assert observed(database.engine, things, values, written) == before
    with database.engine.begin() as connection:
        reads = list(connection.scalars(sa.select(table_of(new).c.value).order_by("id")))
    assert reads == values, "and code of the new type reads the same"


@pytest.mark.parametrize(("old", "new", "values", "written"), INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_a_type_that_old_code_notices_is_not_compatible(
    database: Database, old: Type, new: Type, values: list[Any], written: Any
) -> None:
    assert conversion(old.compile(dialect=DIALECT), new.compile(dialect=DIALECT)) is None
    things = prepared(database, old, values)
    before = observed(database.engine, things, values, written)
    kind = new.compile(dialect=DIALECT)
    cast = "value::int" if kind == "INTEGER" else f"value::text::{kind}"
    database.execute(f"ALTER TABLE things ALTER value TYPE {kind} USING {cast}")
    try:
        after = observed(database.engine, things, values, written)
    except (DBAPIError, TypeError, LookupError, AttributeError):
        return
    assert after != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("BIGINT", "INTEGER"),
        ("DOUBLE PRECISION", "REAL"),
        ("JSONB", "JSON"),
        ("NUMERIC(9, 2)", "NUMERIC(5, 2)"),
        ("NUMERIC(9, 2)", "NUMERIC(9, 4)"),
        ("NUMERIC(9, 2)", "NUMERIC(9)"),
        ("NUMERIC", "NUMERIC(9, 2)"),
        ("NUMERIC(9, 2)", "DOUBLE PRECISION"),
        ("VARCHAR(5)", "CHAR(5)"),
    ],
)
def test_a_smaller_type_is_not_compatible(old: str, new: str) -> None:
    assert conversion(old, new) is None
