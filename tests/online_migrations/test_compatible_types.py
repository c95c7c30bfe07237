"""Compatible types and wider CHECKs: code of before reads, writes, finds and orders as it did.

Each pair of types is tried with code of the old one on a column of the new one. That a CHECK is wider is what
PostgreSQL's planner proves.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, MetaData, Table
from sqlalchemy.dialects import postgresql as pg

from online_migrations.compatible_types import is_compatible, is_longer_text
from online_migrations.guard.proofs import takes_all
from online_migrations.operations.type_changes import change_type_online
from online_migrations.sql import DIALECT
from online_migrations.state.live import type_name
from tests.databases import Environment, empty_database
from tests.online_migrations.migrating import Database, connected

Type = sa.types.TypeEngine[Any]
MOMENT = datetime(2021, 3, 1, 12, 30, 1)
# Name: old type, new type, values of before, a value that old code writes afterwards.
COMPATIBLE: dict[str, tuple[Type, Type, list[Any], Any]] = {
    "integer to bigint": (sa.Integer(), sa.BigInteger(), [-(2**31), 0, 2**31 - 1, None], 7),
    "real to double": (sa.REAL(), sa.Double(), [0.1, -2.5e30, 0.0, float("inf"), None], 0.3),
    "json to jsonb": (sa.JSON(), pg.JSONB(), [{"b": [1, 1.50, "é"], "a": None}, [], "text", 3], {"c": {"d": 1}}),
    "numeric, finer": (sa.Numeric(5, 2), sa.Numeric(7, 4), [Decimal("999.99"), Decimal("-1.5"), None], Decimal(7)),
    "numeric without limit": (sa.Numeric(5, 2), sa.Numeric(), [Decimal("999.99"), None], Decimal(7)),
    "longer text": (sa.String(5), sa.String(9), ["a", "b ", "é", None], "c"),
    "text without limit": (sa.String(5), sa.Text(), ["a", "b ", "é", None], "c"),
    "array of longer texts": (pg.ARRAY(sa.String(5)), pg.ARRAY(sa.String(9)), [["a", "b"], [], None], ["c"]),
    "longer bit varying": (pg.BIT(4, varying=True), pg.BIT(varying=True), ["101", "", None], "11"),
    "finer timestamp": (pg.TIMESTAMP(precision=3), pg.TIMESTAMP(), [datetime(2020, 2, 1, 1, 1, 1, 5000)], MOMENT),
    "finer time": (pg.TIME(precision=0), pg.TIME(), [MOMENT.time()], MOMENT.time()),
}


def table_of(type_: Type) -> Table:
    return Table("things", MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", type_))


def observed(engine: Engine, things: Table, values: list[Any], written: Any) -> list[Any]:
    """Return what code that maps the column so sees: values with their classes, those it finds, and their order."""
    value = things.c.value
    with engine.begin() as connection:
        rows = connection.execute(sa.select(things).order_by("id"))
        seen: list[Any] = [(type(row.value).__name__, row.value) for row in rows]
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
    """Leave out what a real is not equal to, though it was stored in it: 0.1. A double is."""
    return not isinstance(value, float) or value in (0.0, float("inf"))


def prepared(database: Database, type_: Type, values: list[Any]) -> Table:
    things = table_of(type_)
    database.execute("DROP TABLE IF EXISTS things")
    things.create(database.engine)
    with database.engine.begin() as connection:
        for number, value in enumerate(values, start=1):
            connection.execute(sa.insert(things).values(id=number, value=value))
    return things


@pytest.fixture(scope="module")
def shared(server_environment: Environment) -> Iterator[Database]:
    """Hold the tables of one case after the other."""
    with empty_database(server_environment) as environment, connected(environment) as database:
        database.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        yield database


@pytest.mark.parametrize(("old", "new", "values", "written"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_old_code_does_not_notice(shared: Database, old: Type, new: Type, values: list[Any], written: Any) -> None:
    things = prepared(shared, old, values)
    before = observed(shared.engine, things, values, written)
    name = new.compile(dialect=DIALECT)
    assert is_compatible(type_name(old), type_name(new))
    using = f"CAST(CAST(value AS text) AS {name})" if isinstance(old, sa.REAL) else None
    shared.migrate(lambda: change_type_online("things", "value", name, using=using))
    assert observed(shared.engine, things, values, written) == before
    with shared.engine.begin() as connection:
        reads = list(connection.scalars(sa.select(table_of(new).c.value).order_by("id")))
    assert reads == values, "and code of the new type reads the same"


# Old code reads, compares or orders otherwise.
OTHERS = [
    ("integer", "numeric"), ("integer", "text"), ("integer[]", "bigint[]"), ("character varying(5)[]", "text[]"),
    ("character(5)", "character varying(5)"), ("character(5)", "text"), ("bit(3)", "bit(5)"), ("boolean", "integer"),
    ("date", "timestamp without time zone"), ("timestamp without time zone", "timestamp with time zone"),
    ("jsonb", "text"), ("mood", "text"),
]  # fmt: skip
SMALLER = [
    ("bigint", "integer"), ("double precision", "real"), ("jsonb", "json"), ("numeric(9,2)", "numeric(5,2)"),
    ("numeric(9,2)", "numeric(9,4)"), ("numeric(9,2)", "numeric(9,0)"), ("numeric", "numeric(9,2)"),
    ("numeric(9,2)", "double precision"), ("character varying(5)", "character(5)"), ("text", "character varying(80)"),
    ("character varying(50)", "character varying(49)"), ("text", "character(1)"), ("integer", "bigint[]"),
    ("timestamp with time zone", "timestamp without time zone"), ("time(3) with time zone", "time(0) with time zone"),
    ("mood", "text")
]  # fmt: skip
# With the schema of its own that an enum may have in the one place and not in the other.
THE_SAME = [("integer", "integer"), ("character(3)", "character(3)"), ("mood", "audit.mood"), ("mood[]", "mood[]")]


def test_a_type_is_compatible_with_itself_and_not_with_another_or_a_smaller_one() -> None:
    assert [pair for pair in THE_SAME if not is_compatible(*pair)] == []
    assert [pair for pair in (*OTHERS, *SMALLER) if is_compatible(*pair)] == []


def test_a_longer_text_changes_the_catalog_only() -> None:
    texts = ("character varying(5)", "character varying(9)", "character varying", "text")
    pairs = [(old, new) for old in texts for new in texts]
    assert [pair for pair in pairs if is_longer_text(*pair) != is_compatible(*pair)] == []
    assert not any(is_longer_text(*pair) for pair in [*OTHERS, *SMALLER, ("json", "jsonb"), ("text[]", "text[]")])


THINGS = "CREATE TABLE things (id bigint PRIMARY KEY, size int, kind varchar(9), weight numeric, mood mood, made date)"


def one_of(count: int) -> str:
    return f"size IN ({', '.join(map(str, range(count)))})"


# The old condition and the new one.
WIDER = [
    ("kind IN ('a', 'b')", "kind IN ('a', 'b', 'c')"),
    ("kind = 'a'", "kind IN ('a', 'b')"),
    ("kind IN ('a', 'b')", "kind IN ('b', 'a')"),
    ("mood IN ('good')", "mood IN ('good', 'bad')"),
    (one_of(99), one_of(100)),
    ("size < 10", "size <= 10"),
    ("weight < 10", "weight < 10.5"),
    ("size IN (1, 2)", "size > 0"),
    ("length(kind) < 5", "length(kind) < 9"),
    ("size < 10", "size < 10 OR size IS NULL"),  # NULL passed anyway
    ("size IS NOT NULL AND size < 10", "size < 10"),  # and did not
    ("kind ~ '^a'", "kind ~ '^a' OR size < 3"),
    ("size < 10", "true"),
]
NARROWER = [
    ("kind IN ('a', 'b')", "kind IN ('a')"),
    ("kind IN ('a', 'b')", "kind IN ('A', 'b', 'c')"),
    ("size <= 10", "size < 10"),
    ("size < 10", "id < 10"),
    ("size < 10", "size < 20 AND size IS NOT NULL"),
    ("size < 10", "(size < 20) IS TRUE"),
    ("size > 0", "size IS NOT NULL"),
    ("size < 10", "false"),
]
# They are wider, and PostgreSQL does not see it.
NOT_PROVEN = [(one_of(100), one_of(101)), ("kind ~ '^[ab]$'", "kind ~ '^[abc]$'"), ("size < 10", "size < 10.5")]
TRUE, FALSE, UNIQUE = "CHECK (true)", "CHECK (false)", "UNIQUE (size)"
NO_CHECKS = [(UNIQUE, TRUE), (FALSE, UNIQUE), (f"{FALSE} NO INHERIT", TRUE)]


def checks(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"CHECK ({old})", f"CHECK ({new})") for old, new in pairs]


def test_a_wider_check_is_told_from_one_that_is_not_known_to_be_wider(shared: Database) -> None:
    shared.execute(f"DROP TABLE IF EXISTS things; {THINGS}")
    assert [pair for pair in checks(WIDER) if not is_wider(shared, *pair)] == []
    assert [pair for pair in [*checks(NARROWER), *checks(NOT_PROVEN), *NO_CHECKS] if is_wider(shared, *pair)] == []


def is_wider(database: Database, old: str, new: str) -> bool:
    with database.engine.begin() as connection:
        found = takes_all(connection, "things", old, new)
        assert connection.exec_driver_sql("SHOW constraint_exclusion").scalar() == "partition"
        return found
