"""Without a naming convention, a constraint has the name that PostgreSQL gives it: the server is asked."""

import itertools
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, MetaData, Table, inspect

from app.extensions import NAMING_CONVENTION
from app.release import naming
from tests.release.migrating import Database

LONG = "a_name_of_forty_characters_as_some_have_"
KOREAN = "사용자들이쓴글에달린댓글모음"  # 42 bytes


TABLES = ["orders", "Order", LONG, KOREAN]
COLUMNS = [["code"], ["first", "second"], [LONG], ["x", LONG, KOREAN], [KOREAN]]


def test_unique_and_foreign_keys_are_called_as_the_server_calls_them(database: Database) -> None:
    wrong = []
    for table, columns in itertools.product(TABLES, COLUMNS):
        metadata = MetaData()
        made = Table(table, metadata, *(sa.Column(name, sa.Integer) for name in columns))
        made.append_constraint(sa.UniqueConstraint(*columns))
        made.append_constraint(sa.ForeignKeyConstraint(columns, [made.columns[name] for name in columns]))
        metadata.create_all(database.engine)
        inspector = inspect(database.engine)
        [unique], [foreign_key] = inspector.get_unique_constraints(table), inspector.get_foreign_keys(table)
        metadata.drop_all(database.engine)
        ours = [naming.default_name(table, columns, kind) for kind in (naming.UNIQUE, naming.FOREIGN_KEY)]
        if ours != [unique["name"], foreign_key["name"]]:
            wrong.append((ours, unique["name"], foreign_key["name"]))
    assert wrong == []


def checks_of(metadata: MetaData) -> list[object]:
    [table] = metadata.tables.values()
    found = [*table.constraints, *(constraint for column in table.columns for constraint in column.constraints)]
    return [check.name for check in found if isinstance(check, CheckConstraint)]


def models(conditions: Sequence[str]) -> MetaData:
    """One table, with a rule within a column, one that a type brings, and these."""
    metadata = MetaData()
    Table(
        "orders",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("size", sa.Integer, CheckConstraint("size > 0")),
        sa.Column("placedAt", sa.DateTime),
        sa.Column("state", sa.Enum("open", "size", native_enum=False, create_constraint=True)),
        *(CheckConstraint(condition) for condition in conditions),
    )
    return metadata


CONDITIONS: list[list[str]] = [
    [],
    ["SIZE < 10", "size <> 5"],
    ["size < id", "id > size"],
    ["state <> 'size'"],
    ["state <> 'it''s size'"],
    ['"placedAt" IS NOT NULL'],
    ["length(state) > 2"],
    ["1 < 2"],
]


def test_checks_are_called_as_the_server_calls_them(database: Database) -> None:
    for conditions in CONDITIONS:
        metadata, named = models(conditions), models(conditions)
        metadata.create_all(database.engine)
        naming.name_checks(named)
        there = [check["name"] for check in inspect(database.engine).get_check_constraints("orders")]
        metadata.drop_all(database.engine)
        assert sorted(map(str, checks_of(named))) == sorted(map(str, there)), conditions


def test_to_name_them_twice_changes_nothing() -> None:
    metadata = models(["size < 10"])
    naming.name_checks(metadata)
    once = checks_of(metadata)
    naming.name_checks(metadata)
    assert checks_of(metadata) == once


def test_a_name_of_the_models_is_kept_and_not_given_twice() -> None:
    metadata = MetaData()
    named = CheckConstraint("size > 0", name="orders_size_check")
    Table("orders", metadata, sa.Column("size", sa.Integer), CheckConstraint("size < 10"), named)
    naming.name_checks(metadata)
    assert sorted(map(str, checks_of(metadata))) == ["orders_size_check", "orders_size_check1"]
    assert named.name == "orders_size_check"


def test_with_a_naming_convention_nothing_is_named_by_us() -> None:
    """An enum's rule has no name there until the table is made, when SQLAlchemy asks the convention or refuses."""
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    kind: sa.Column[str] = sa.Column("kind", sa.Enum("a", "b", native_enum=False, create_constraint=True))
    Table("orders", metadata, kind, CheckConstraint("size < 10", name="small"))
    before = checks_of(metadata)
    naming.name_checks(metadata)
    assert checks_of(metadata) == before
    assert len(before) == 2
