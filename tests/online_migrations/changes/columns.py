"""Columns: added in every type, with every default; changed, taken away and brought back."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.online_migrations.changes import (
    ByHand,
    Case,
    ModelChange,
    add,
    both,
    constrain,
    contract,
    expand,
    nothing,
    plain,
    refused,
    replace,
    table,
    without,
)
from tests.online_migrations.shop import enum


class Shout(sa.TypeDecorator[str]):
    """Stand for a type of the project's own."""

    impl = sa.String
    cache_ok = True


def mood(name: str = "mood") -> sa.Enum:
    return sa.Enum("good", "bad", name=name, native_enum=False, create_constraint=True)


TYPES: list[Callable[[], Any]] = [
    *(sa.Text, sa.String, sa.SmallInteger, sa.Integer, sa.BigInteger, sa.Float, sa.Double, sa.REAL, sa.Boolean),
    *(sa.Date, sa.DateTime, sa.Time, sa.Interval, sa.LargeBinary, sa.Uuid, sa.JSON),
    *(postgresql.JSONB, postgresql.INET, postgresql.CIDR, postgresql.MACADDR, postgresql.TSVECTOR),
    *(postgresql.INT4RANGE, postgresql.TSTZRANGE),
    *(lambda: sa.String(20), lambda: sa.Text(collation="C"), lambda: sa.CHAR(3), lambda: sa.Unicode(9)),
    *(lambda: sa.Numeric(10, 2), lambda: sa.DateTime(timezone=True), lambda: postgresql.BIT(8), lambda: Shout(20)),
    *(lambda: sa.ARRAY(sa.Integer), lambda: postgresql.ARRAY(sa.Text)),
    lambda: sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
    lambda: sa.Enum("good", "bad", name="mood", native_enum=False),
    mood,
]
DEFAULTS: list[tuple[Callable[[], Any], Any]] = [
    (lambda: sa.String(20), "yellow"),
    *((sa.Text, default) for default in ("", "it's", "100%", sa.text("'100%'"), "a:b", "a\\b")),
    *((sa.Integer, "0"), (sa.BigInteger, sa.text("7")), (sa.Boolean, sa.false())),
    (lambda: sa.Numeric(10, 2), sa.text("1.5")),
    (lambda: sa.DateTime(timezone=True), sa.func.now()),
    (sa.Date, sa.text("CURRENT_DATE")),
    (sa.Interval, sa.text("'1 day'")),
    (postgresql.JSONB, sa.text("'{}'")),
    (lambda: sa.ARRAY(sa.Text), sa.text("'{}'")),
    (sa.Uuid, sa.text("'00000000-0000-0000-0000-000000000000'")),
    (lambda: mood("temper"), "good"),  # its check has a name of its own, since both stand in one table
]


def of_each_type(metadata: sa.MetaData) -> None:
    for number, kind in enumerate(TYPES):
        table(metadata).append_column(sa.Column(f"c{number}", kind()))


def with_each_default(metadata: sa.MetaData) -> None:
    for number, (kind, default) in enumerate(DEFAULTS):
        table(metadata).append_column(sa.Column(f"d{number}", kind(), server_default=default, nullable=False))


ADDED = [
    expand(
        "columns of each type, with each default, and with odd names",
        both(
            *(of_each_type, with_each_default),
            add(plain("Extra %s 값", sa.Integer(), comment="it's 100% new")),
            add(plain("order", sa.Integer())),
            add(plain("값" * 21, sa.Integer())),
            add(plain("extra", sa.Integer()), "Odd order"),
        ),
    )
]


def renamed(metadata: sa.MetaData) -> None:
    labels = table(metadata, "labels")
    sa.Table("tags", metadata, *(column._copy() for column in labels.columns))
    metadata.remove(labels)


ALTERED = [
    expand(
        "defaults, one of them an expression",
        both(
            replace(plain("size", sa.Integer(), index=True, server_default="0")),
            replace(plain("note", sa.Text(), server_default=sa.func.lower("A"))),
        ),
    ).of("B"),
    contract(
        "a default gone",  # without it what the live release writes would fail
        replace(plain("kind", sa.String(10), nullable=False)),
    ).written("set_default_online('things', 'kind', None)"),
    expand("no longer required", replace(plain("name", sa.String(50), comment="what it is called")))
    .of("D")
    .written("drop_not_null_online('things', 'name')"),
    contract("required from now on", replace(plain("code", sa.String(10), unique=True, nullable=False)))
    .of("H")
    .written("set_not_null_online('things', 'code')"),
    expand(
        "comments: another, one gone, and one with a default; and an enum with another value",
        both(
            *(without("colour", "labels"), add(plain("colour", enum("red", "blue", "pink"), nullable=False), "labels")),
            replace(plain("name", sa.String(50), nullable=False, comment="it's 100% its name")),
            replace(plain("note", sa.Text(), comment="%s", server_default="100% it's")),
            lambda metadata: setattr(table(metadata), "comment", None),
        ),
    ).of("A"),
    refused(
        "a default that differs from row to row",
        "differs from row to row",
        add(plain("extra", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)),
        add(plain("extra", sa.Uuid())),
        add(plain("extra", sa.Uuid(), server_default=sa.text("gen_random_uuid()"))),
    ),
    refused(
        "an identity for a column that is there",
        "ADD GENERATED BY DEFAULT AS IDENTITY",
        replace(lambda: sa.Column("weight", sa.Integer, sa.Identity(), nullable=False), "parts"),
        ByHand(
            'op.execute("ALTER TABLE parts ALTER COLUMN weight ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 100)")',
            'op.execute("ALTER TABLE parts ALTER COLUMN weight DROP IDENTITY")',
            "expand",
            replace(lambda: sa.Column("weight", sa.Integer, sa.Identity(start=100), nullable=False), "parts"),
        ),
    ),
    refused(
        "a table renamed",
        r"rename_with_view\('labels', 'tags'\)",
        renamed,
        ByHand(
            'rename_with_view("labels", "tags")\n'
            'op.execute("ALTER TABLE tags RENAME CONSTRAINT ck_labels_colour TO ck_tags_colour")',
            'op.execute("ALTER TABLE tags RENAME CONSTRAINT ck_tags_colour TO ck_labels_colour")\n'
            'rename_back_from_view("labels", "tags")',
            "expand",
            renamed,
        ),
    ),
]

TO_DOUBLE = "'CAST(CAST(price AS text) AS DOUBLE PRECISION)'"


def feelings(*values: str) -> ModelChange:
    return replace(plain("feeling", sa.Enum(*values, name="feeling")), "typed")


WIDENED = [
    expand("a wider number", replace(plain("size", sa.BigInteger(), index=True)))
    .of("E")
    ._replace(moves=True)
    .written("change_type_online('things', 'size', 'BIGINT')"),
    expand("a finer float", replace(plain("price", sa.Double()), "typed"))
    .of("E")
    ._replace(moves=True)
    .written(f"change_type_online('typed', 'price', 'DOUBLE PRECISION', using={TO_DOUBLE}, pk='number')"),
    expand("a longer text in an index of an expression", replace(plain("label", sa.String(80)), "typed"))
    .of("E")
    ._replace(moves=True)
    .written("change_type_online('typed', 'label', 'VARCHAR(80)', pk='number')"),
    Case("more values of an enum of the database", (feelings("best", "good", "it's so", "bad", "so"),), ("expand",))
    .of("F")
    ._replace(stays=True)
    .written(
        "add_enum_value_online('feeling', 'best', before='good')",
        """add_enum_value_online('feeling', "it's so", before='bad')""",
        "add_enum_value_online('feeling', 'so')",
    ),
    Case("a longer text", (replace(plain("code", sa.String(80), unique=True)),), ("expand",), stays=True)
    .of("F")
    .written("widen_text_online('things', 'code', 'VARCHAR(80)')"),
]

THREE = both(without("note"), without("size"), without("code"))  # the second is indexed, the third is unique

GONE = [
    expand("a column gone with its index and rule", without("size")).written("retire_column_online('things', 'size')"),
    expand("a required text gone", without("name", "labels"))
    .of("B")
    .written("""retire_column_online('labels', 'name', default="''")"""),
    expand(
        "columns gone of many kinds",
        both(
            *(without("doubled", "parts"), without("weight", "parts"), without("booked", "rooms")),
            *(without("done"), without("made_at"), without("price"), without("tags"), without("code")),
            without("period", "rooms"),  # which an EXCLUDE names
        ),
    ),
    contract("required columns gone: one refers, an enum", both(without("owner_id"), without("colour", "labels"))),
    Case("columns gone and dropped", (THREE, THREE), ("expand", "contract"), moves=True),
    Case(
        "a column and a table gone and back",
        (both(without("note"), lambda metadata: metadata.remove(table(metadata, "labels"))), nothing),
        ("expand", "expand"),
    ),
]

OF_ONE = (
    expand(
        "a rule of a new column",
        both(add(plain("extra", sa.Integer())), constrain(lambda: sa.CheckConstraint("extra > 0", name="extra"))),
    )
    .of("D")
    .written(
        "add_column_online('things', sa.Column('extra', sa.Integer(), nullable=True))",
        "add_check_online('things', 'ck_things_extra', 'extra > 0')",
    )
)

COLUMN_CASES = [*ADDED, *ALTERED, *WIDENED, *GONE, OF_ONE]
