"""What `flask db migrate` makes of another type, and of other values of an enum; and it is taken, forth and back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from app.release import operations
from app.release.errors import UnsafeOperation
from app.release.operations import change_type_online, retire_column_online
from app.release.rewriter import Call, Change
from tests.release.migrating import Database
from tests.release.test_autogenerate import migration, sources

Type = sa.types.TypeEngine[Any]


def models(
    *,
    number: Type | None = None,
    price: Type | None = None,
    label: Type | None = None,
    moods: tuple[str, ...] = ("good", "bad"),
    kinds: tuple[str, ...] = ("note", "todo"),
    key: str = "id",
) -> MetaData:
    metadata = MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"})
    Table(
        "things",
        metadata,
        sa.Column(key, sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("number", number or sa.Integer(), server_default="3", nullable=False),
        sa.Column("price", price or sa.REAL()),
        sa.Column("mood", sa.Enum(*moods, name="mood")),
        sa.Column("label", label or sa.String(50)),
        sa.Index("ix_things_label", sa.func.lower(sa.column("label"))),
        sa.Column("kind", sa.Enum(*kinds, name="kind", native_enum=False, create_constraint=True, length=9)),
    )
    return metadata


@pytest.fixture
def things(database: Database) -> Database:
    models().create_all(database.engine)
    database.execute("INSERT INTO things (price, mood, kind) SELECT n, 'good', 'note' FROM generate_series(1, 20) n")
    return database


def run(calls: list[Call]) -> None:
    for call in calls:
        exec(call.source, {**vars(operations), "sa": sa})  # noqa: S102 - what was written into the revision


def without_casts(dump: str) -> str:
    """Of a rule, which the server prints with other casts once it has read what it printed."""
    return re.sub(r"::character varying|::text(\[\])?|[()]", "", dump)


def written(things: Database, metadata: MetaData) -> Change:
    return migration(things, metadata)


class Moods(sa.types.TypeDecorator[Any]):
    """A native enum, in a coat."""

    impl = sa.Enum("good", "bad", name="moods")
    cache_ok = True


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (sa.ARRAY(sa.Enum("good", "bad", name="moods")), "CheckConstraint.*<@"),
        (postgresql.ARRAY(sa.Enum("good", "bad", name="moods")), "CheckConstraint.*<@"),
        (postgresql.DOMAIN("share", sa.Integer()), "INTEGER.*CheckConstraint"),
        (sa.ARRAY(postgresql.DOMAIN("share", sa.Integer())), "INTEGER.*CheckConstraint"),
        (Moods(), "native_enum=False"),
    ],
    ids=["array", "array of the dialect", "domain", "array of a domain", "decorated"],
)
@pytest.mark.parametrize("table", ["things", "others"], ids=["a column", "a table"])
def test_a_type_that_the_revision_would_not_make_is_refused(
    things: Database, kind: Type, advice: str, table: str
) -> None:
    metadata = models()
    Table(table, metadata, sa.Column("extra", kind), extend_existing=True)
    with pytest.raises(UnsafeOperation, match=f"extra.*{advice}"):
        migration(things, metadata)


def test_the_array_with_a_rule_that_the_refusal_advises_is_written_and_taken(things: Database) -> None:
    metadata = models()
    rule = sa.CheckConstraint("extra <@ ARRAY['good', 'bad']", name="extra")
    Table("things", metadata, sa.Column("extra", sa.ARRAY(sa.Text)), rule, extend_existing=True)
    change = migration(things, metadata)
    things.migrate(lambda: run([call for call in change.up if isinstance(call, Call)]))
    assert migration(things, metadata).up == []
    with pytest.raises(sa.exc.IntegrityError, match="ck_things_extra"):
        things.execute("INSERT INTO things (extra) VALUES (ARRAY['sad'])")


def test_another_precision_is_noticed(things: Database) -> None:
    things.execute("ALTER TABLE things ALTER price TYPE numeric(10, 2)")
    assert sources(migration(things, models(price=sa.Numeric())).up) == [
        "change_type_online('things', 'price', 'NUMERIC')"
    ]
    assert migration(things, models(price=sa.Numeric(10, 2))).up == []


def test_a_shorter_precision_is_refused(things: Database) -> None:
    things.execute("ALTER TABLE things DROP price, ADD price timestamptz")
    assert migration(things, models(price=sa.DateTime(timezone=True))).up == []
    with pytest.raises(UnsafeOperation, match="price would change from TIMESTAMP WITH TIME ZONE to TIMESTAMP"):
        migration(things, models(price=postgresql.TIMESTAMP(timezone=True, precision=3)))


def test_without_a_difference_nothing_is_written(things: Database) -> None:
    assert migration(things, models()).up == []


# As the server prints it.
KINDS_OF_BEFORE = (
    "add_check_online('things', 'ck_things_kind',"
    " \"kind::text = ANY (ARRAY['note'::character varying, 'todo'::character varying]::text[])\", replace=True)"
)
TO_DOUBLE = "using='CAST(CAST(price AS text) AS DOUBLE PRECISION)'"


@pytest.mark.parametrize(
    ("changed", "up", "down", "phase"),
    [
        (
            models(number=sa.BigInteger()),
            ["change_type_online('things', 'number', 'BIGINT')"],
            ["change_type_online('things', 'number', 'INTEGER')", "drop_shadow_contract('things', 'number')"],
            "expand",
        ),
        (
            models(price=sa.Double()),
            [f"change_type_online('things', 'price', 'DOUBLE PRECISION', {TO_DOUBLE})"],
            [
                f"change_type_online('things', 'price', 'REAL', {TO_DOUBLE.replace('using', 'back')})",
                "drop_shadow_contract('things', 'price')",
            ],
            "expand",
        ),
        (
            models(label=sa.String(80)),  # in a column with an index on an expression, which would be rebuilt
            ["change_type_online('things', 'label', 'VARCHAR(80)')"],
            ["change_type_online('things', 'label', 'VARCHAR(50)')", "drop_shadow_contract('things', 'label')"],
            "expand",
        ),
        (models(moods=("good", "bad", "so")), ["add_enum_value_online('mood', 'so')"], [], "expand"),
        (
            models(moods=("best", "good", "it's so", "bad")),
            [
                "add_enum_value_online('mood', 'best', before='good')",
                """add_enum_value_online('mood', "it's so", before='bad')""",
            ],
            [],
            "expand",
        ),
        (
            models(kinds=("note", "todo", "list")),
            ["""add_check_online('things', 'ck_things_kind', "kind IN ('note', 'todo', 'list')", replace=True)"""],
            [KINDS_OF_BEFORE],
            "expand",
        ),
        (
            models(kinds=("note",)),
            ["""add_check_online('things', 'ck_things_kind', "kind IN ('note')", replace=True)"""],
            [KINDS_OF_BEFORE],
            "contract",
        ),
    ],
    ids=["number", "float", "longer text", "enum", "enum in between", "check", "check with fewer"],
)
def test_a_change_is_written_and_taken_and_taken_back(
    things: Database, changed: MetaData, up: list[str], down: list[str], phase: str, schema_dump: Callable[[], str]
) -> None:
    before = schema_dump()
    change = migration(things, changed)
    assert sources(change.up) == up
    assert sources(change.down) == down
    assert change.phase == phase
    things.migrate(lambda: run([call for call in change.up if isinstance(call, Call)]))
    assert [call for call in sources(migration(things, changed).up) if not call.startswith("drop_shadow")] == []
    things.migrate(lambda: run([call for call in change.down if isinstance(call, Call)]))
    assert not down or without_casts(schema_dump()) == without_casts(before)
    assert things.scalar("SELECT count(*) FROM things") == 20


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (models(number=sa.Text()), r"INTEGER to TEXT.*add_synced_column_online"),
        (models(number=sa.SmallInteger()), r"INTEGER to SMALLINT.*add_synced_column_online"),
        (models(moods=("good",)), "would lose bad"),
    ],
    ids=["text", "smaller", "value of an enum"],
)
def test_what_the_live_release_could_not_use_is_a_sentence(things: Database, changed: MetaData, reason: str) -> None:
    with pytest.raises(UnsafeOperation, match=reason):
        migration(things, changed)


def test_the_key_of_the_table_is_named_when_it_is_not_id(things: Database) -> None:
    things.execute("ALTER TABLE things RENAME id TO number_of_thing")
    change = migration(things, models(number=sa.BigInteger(), key="number_of_thing"))
    assert sources(change.up) == ["change_type_online('things', 'number', 'BIGINT', pk='number_of_thing')"]


def test_a_computed_column_is_the_one_that_the_model_has(things: Database) -> None:
    column = sa.Column("words", sa.Integer, nullable=False)
    things.migrate(lambda: operations.add_computed_column_online("things", column, "length(kind)"))
    metadata = models()
    mapped = sa.Column("words", sa.Integer, sa.FetchedValue(), server_onupdate=sa.FetchedValue(), nullable=False)
    metadata.tables["things"].append_column(mapped)
    assert migration(things, metadata).up == []


def test_a_shadow_is_dropped_when_nothing_else_changed(things: Database) -> None:
    things.migrate(lambda: change_type_online("things", "number", "BIGINT"))
    change = migration(things, models(number=sa.BigInteger()))
    assert sources(change.up) == ["drop_shadow_contract('things', 'number')"]
    assert change.phase == "contract"


def test_a_retired_column_is_dropped_after_the_dual_write_that_needs_it(things: Database) -> None:
    things.migrate(
        lambda: operations.add_synced_column_online(
            "things", "number", sa.Column("amount", sa.Text), "number::text", "amount::int"
        )
    )
    things.migrate(lambda: retire_column_online("things", "number"))
    metadata = models()
    table = metadata.tables["things"]
    kept = [column._copy() for column in table.columns if column.name != "number"]
    metadata.remove(table)
    label = sa.Index("ix_things_label", sa.func.lower(sa.column("label")))
    Table("things", metadata, *kept, sa.Column("amount", sa.Text), label)
    change = migration(things, metadata)
    assert sources(change.up) == [
        "stop_dual_write_contract('things', 'amount')",
        "drop_column_contract('things', 'number')",
    ]
    things.migrate(lambda: run([call for call in change.up if isinstance(call, Call)]))
    things.execute("INSERT INTO things (amount) VALUES ('5')")
