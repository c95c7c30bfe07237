"""Rows straight from the driver: what SQLAlchemy would return, and the errors that it would raise."""

from datetime import timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    DateTime,
    Integer,
    Interval,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    text,
)
from sqlalchemy import Connection as Taken
from sqlalchemy import Enum as EnumType
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.types import TypeDecorator

from app.database.rows import fetch
from app.extensions import db


class Phase(Enum):
    NEW = "new moon"
    FULL = "full moon"


class Reversed(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> Any:
        return value[::-1]

    def process_result_value(self, value: Any, dialect: object) -> Any:
        return value[::-1]


numbers = count()
MOONS = Table(
    "moons",
    MetaData(),
    Column("id", Integer, default=lambda: next(numbers)),
    Column("name", String(9)),
    Column("class", Text, key="kind"),
    Column("phase", EnumType(Phase, native_enum=False)),
    Column("mirrored", Reversed),
    prefixes=["TEMPORARY"],
)
ID = UUID(int=7)
RETURNING = insert(MOONS).returning(MOONS.c.id, MOONS.c.name)
STATEMENTS: list[tuple[Any, dict[str, Any]]] = [
    (select(literal("a").label("x"), null().label("y"), literal(3).label("z")), {}),
    (select(bindparam("id", type_=Uuid), bindparam("is_so", type_=Boolean)), {"id": ID, "is_so": None}),
    (select(bindparam("tags", type_=ARRAY(Text))), {"tags": ["a", "b,{}"]}),
    (select(bindparam("tags", type_=ARRAY(EnumType(Phase, native_enum=False)))), {"tags": [Phase.FULL]}),
    (select(bindparam("row", type_=JSON)), {"row": {"a": [1, None]}}),
    (select(bindparam("price", type_=Numeric(9, 2))), {"price": Decimal("1.50")}),
    (select(bindparam("kept", type_=Interval)), {"kept": timedelta(days=3)}),
    (select(cast(bindparam("at"), DateTime(timezone=True))), {"at": "2026-11-22T05:00Z"}),
    (select(bindparam("phase", type_=EnumType(Phase))), {"phase": Phase.NEW}),
    (select(bindparam("mirrored", type_=Reversed)), {"mirrored": "half"}),
    (select(literal(1).label("class"), literal(2).label("100 %")), {}),
    (select(literal(1).label("twice"), literal(2).label("twice")), {}),
    (select(literal_column("1"), literal_column("2")), {}),
    (select(literal(1).label("a b"), literal(2).label("a_b"), literal(3).label("_at"), literal(4).label("f_at")), {}),
    (select(MOONS.c.kind), {}),
    (select(), {}),
    (select(bindparam("a.b", type_=Integer)), {"a.b": 1}),
    (text("SELECT 1, 2"), {}),
    (text("SELECT 1 AS twice, 2 AS twice, 3 AS class, 4 AS _at"), {}),
    (select(literal(1)).where(literal(1).in_(bindparam("ids", expanding=True))), {"ids": [1, 2]}),
    (select(literal(1)).where(literal(1).in_([1, 2])), {}),
    (select(literal(1)).where(literal(1) == 2), {}),
    (select(func.generate_series(1, 3).label("number")), {"unused": 1}),
    (text("SELECT CAST(:a AS int) AS a, '100 %' AS b"), {"a": 5}),
    (RETURNING.values(id=1), {"name": "half"}),
    (RETURNING.values(id=1, name=bindparam("given")), {"given": "half"}),
    (RETURNING.from_select(["id", "name"], select(literal(1), bindparam("given"))), {"given": "half"}),
]


@pytest.fixture
def connection(app: Flask) -> Taken:
    """Return a connection of the test's transaction, in which there are moons."""
    taken = db.session.connection()
    MOONS.create(taken)
    return taken


@pytest.mark.parametrize(("statement", "parameters"), STATEMENTS)
def test_they_are_those_of_sqlalchemy(connection: Taken, statement: Any, parameters: dict[str, Any]) -> None:
    expected = connection.execute(statement, parameters).all()
    for _ in range(2):  # compiled, and as it was compiled
        found = fetch(connection, statement, parameters)
        assert [tuple(row) for row in found] == [tuple(row) for row in expected]


def test_a_column_has_its_name_and_one_row_is_one(connection: Taken) -> None:
    row = fetch(connection, select(literal("half").label("moon"), literal(7).label("class")), {}).one()
    assert (row.moon, row[1]) == ("half", 7)
    for rows, found in ((0, None), (1, (1,))):
        assert fetch(connection, select(func.generate_series(1, rows)), {}).one_or_none() == found
    for rows in (0, 2):
        with pytest.raises(ValueError, match="values to unpack"):
            fetch(connection, select(func.generate_series(1, rows)), {}).one()


def test_what_a_parameter_computes_is_computed_for_each_statement(connection: Taken) -> None:
    asks = count(5)
    for unique in (False, True):
        number = bindparam("number", callable_=lambda: next(asks), type_=Integer, unique=unique)
        asked = select(number.label("number"))
        assert [fetch(connection, asked, {}).one()[0] for _ in range(2)] == [5 + 2 * unique, 6 + 2 * unique]


def test_a_default_that_python_computes_is_stored(connection: Taken) -> None:
    of_select = RETURNING.from_select(["name"], select(bindparam("given")))
    first, second = (fetch(connection, of_select, {"given": "half"}).one() for _ in range(2))
    assert second.id == first.id + 1


def test_a_refusal_is_that_of_sqlalchemy_and_holds_no_parameter(connection: Taken) -> None:
    for statement, kind in ((text("SELECT :secret FROM nowhere"), ProgrammingError), (text("SELECT 1/0"), DBAPIError)):
        savepoint = connection.begin_nested()
        with pytest.raises(kind) as refused:
            fetch(connection, statement, {"secret": "typed by a person"})
        savepoint.rollback()
        assert ("typed by" not in str(refused.value), refused.value.connection_invalidated) == (True, False)


def test_a_connection_that_is_lost_is_dropped(migrated: Flask) -> None:
    with db.engine.connect() as ends, db.engine.connect() as connection:
        pid = fetch(connection, text("SELECT pg_backend_pid() AS pid"), {}).one().pid
        ends.execute(text("SELECT pg_terminate_backend(CAST(:pid AS int), 5000)"), {"pid": pid})
        with pytest.raises(OperationalError) as lost:
            fetch(connection, text("SELECT 1"), {})
        assert (lost.value.connection_invalidated, connection.invalidated) == (True, True)
    with db.engine.connect() as connection:
        assert fetch(connection, text("SELECT 1"), {}) == [(1,)]
