"""Columns: added in every type, with every default; changed, taken away and brought back."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.release.changes import (
    ByHand,
    Case,
    add,
    both,
    constrain,
    contract,
    expand,
    keyed_by,
    nothing,
    refused,
    replace,
    table,
    without,
)


class Shout(sa.TypeDecorator[str]):
    """A type of the project's own."""

    impl = sa.String
    cache_ok = True


TYPES: dict[str, Callable[[], Any]] = {
    "text": sa.Text,
    "varchar": lambda: sa.String(20),
    "unlimited varchar": sa.String,
    "char": lambda: sa.CHAR(3),
    "unicode": lambda: sa.Unicode(9),
    "smallint": sa.SmallInteger,
    "integer": sa.Integer,
    "bigint": sa.BigInteger,
    "numeric": lambda: sa.Numeric(10, 2),
    "float": sa.Float,
    "double": sa.Double,
    "real": sa.REAL,
    "boolean": sa.Boolean,
    "date": sa.Date,
    "timestamp": sa.DateTime,
    "timestamptz": lambda: sa.DateTime(timezone=True),
    "time": sa.Time,
    "interval": sa.Interval,
    "bytea": sa.LargeBinary,
    "uuid": sa.Uuid,
    "json": sa.JSON,
    "jsonb": postgresql.JSONB,
    "jsonb by variant": lambda: sa.JSON().with_variant(postgresql.JSONB(), "postgresql"),
    "integer array": lambda: sa.ARRAY(sa.Integer),
    "text array": lambda: postgresql.ARRAY(sa.Text),
    "inet": postgresql.INET,
    "cidr": postgresql.CIDR,
    "macaddr": postgresql.MACADDR,
    "tsvector": postgresql.TSVECTOR,
    "range": postgresql.INT4RANGE,
    "time range": postgresql.TSTZRANGE,
    "bit": lambda: postgresql.BIT(8),
    "type decorator": lambda: Shout(20),
    "enum without a rule": lambda: sa.Enum("good", "bad", name="mood", native_enum=False),
    "enum with a rule": lambda: sa.Enum("good", "bad", name="mood", native_enum=False, create_constraint=True),
}

DEFAULTS: dict[str, tuple[Callable[[], Any], Any]] = {
    "a word": (lambda: sa.String(20), "yellow"),
    "an empty text": (sa.Text, ""),
    "a quote": (sa.Text, "it's"),
    "a percent sign": (sa.Text, "100%"),
    "a percent sign in SQL": (sa.Text, sa.text("'100%'")),
    "a colon": (sa.Text, "a:b"),
    "a backslash": (sa.Text, "a\\b"),
    "a number": (sa.Integer, "0"),
    "a number in SQL": (sa.BigInteger, sa.text("7")),
    "a fraction": (lambda: sa.Numeric(10, 2), sa.text("1.5")),
    "false": (sa.Boolean, sa.false()),
    "true": (sa.Boolean, sa.true()),
    "now": (lambda: sa.DateTime(timezone=True), sa.func.now()),
    "today": (sa.Date, sa.text("CURRENT_DATE")),
    "an interval": (sa.Interval, sa.text("'1 day'")),
    "an object": (postgresql.JSONB, sa.text("'{}'")),
    "an empty array": (lambda: sa.ARRAY(sa.Text), sa.text("'{}'")),
    "a uuid": (sa.Uuid, sa.text("'00000000-0000-0000-0000-000000000000'")),
    "an enum's value": (TYPES["enum with a rule"], "good"),
}


def required(name: str) -> Callable[[], sa.Column[Any]]:
    kind, default = DEFAULTS[name]
    return lambda: sa.Column("extra", kind(), server_default=default, nullable=False)


def nullable(name: str) -> Callable[[], sa.Column[Any]]:
    return lambda: sa.Column("extra", TYPES[name]())


def plain(name: str, kind: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    return lambda: sa.Column(name, kind, **options)


ADDED = [
    *(expand(f"a nullable column: {name}", add(nullable(name))) for name in TYPES),
    *(expand(f"a required column with a default: {name}", add(required(name))) for name in DEFAULTS),
    expand("a column with a comment", add(plain("extra", sa.Integer(), comment="it's 100% new"))),
    expand("a column with an odd name", add(plain("Extra %s 값", sa.Integer()))),
    expand("a column named by a reserved word", add(plain("order", sa.Integer()))),
    expand("a column of a table with an odd name", add(plain("extra", sa.Integer()), "Odd order")),
    expand("two columns", both(add(plain("one", sa.Integer())), add(plain("two", sa.Text())))),
    expand(
        "a column that a sequence fills",
        add(lambda: sa.Column("turn", sa.Integer, sa.Sequence("turns"))),
    ),
]


def renamed(metadata: sa.MetaData) -> None:
    labels = table(metadata, "labels")
    sa.Table("tags", metadata, *(column._copy() for column in labels.columns))
    metadata.remove(labels)


OF_ONE = both(add(plain("extra", sa.Integer())), constrain(lambda: sa.CheckConstraint("extra > 0", name="extra")))
NO_LONGER_KIND = (
    replace(plain("kind", sa.String(10), nullable=False))  # without a default the old release fails
)

ALTERED = [
    expand("a default", replace(plain("size", sa.Integer(), index=True, server_default="0"))),
    expand("a default that is a text", replace(plain("note", sa.Text(), server_default="100% it's"))),
    expand("a default that is an expression", replace(plain("note", sa.Text(), server_default=sa.func.lower("A")))),
    expand("another default", replace(plain("kind", sa.String(10), server_default="todo", nullable=False))),
    expand(
        "another default of a boolean", replace(plain("done", sa.Boolean(), server_default=sa.true(), nullable=False))
    ),
    contract("a default gone", NO_LONGER_KIND),
    expand("no longer required", replace(plain("name", sa.String(50), comment="what it is called"))),
    contract("required from now on", replace(plain("code", sa.String(10), unique=True, nullable=False))),
    expand("a comment changed", replace(plain("name", sa.String(50), nullable=False, comment="it's 100% its name"))),
    expand("a comment gone", replace(plain("name", sa.String(50), nullable=False))),
    expand("a comment on a column", replace(plain("note", sa.Text(), comment="%s"))),
    expand(
        "a comment and a default",
        replace(plain("note", sa.Text(), comment="new", server_default="x")),
    ),
    refused(
        "an enum of the database",
        "native_enum=False",
        add(lambda: sa.Column("mood", sa.Enum("good", "bad", name="mood"))),
        add(lambda: sa.Column("mood", TYPES["enum with a rule"]())),
    ),
    refused(
        "a column that is required and has no default",
        "Give it a constant",
        add(plain("extra", sa.Integer(), nullable=False)),
        add(plain("extra", sa.Integer(), nullable=False, server_default="0")),
    ),
    refused(
        "a default that differs from row to row",
        "differs from row to row",
        add(plain("extra", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)),
        add(plain("extra", sa.Uuid())),
        add(plain("extra", sa.Uuid(), server_default=sa.text("gen_random_uuid()"))),
    ),
    refused(
        "a column that the database computes",
        "Add a plain column",
        add(lambda: sa.Column("twice", sa.Integer, sa.Computed("size * 2"))),
        add(plain("twice", sa.Integer())),
    ),
    refused(
        "another computation",
        "under a new name",
        replace(lambda: sa.Column("doubled", sa.Integer, sa.Computed("weight * 3", persisted=True)), "parts"),
        add(plain("tripled", sa.Integer()), "parts"),
    ),
    refused(
        "another collation",
        "under a new name",
        replace(plain("note", sa.Text(collation="C"))),
        add(plain("sorted_note", sa.Text(collation="C"))),
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
        "a name that is too long",
        "has 64 bytes",
        add(plain("e" * 64, sa.Integer())),
        add(plain("e" * 63, sa.Integer())),
    ),
    refused(
        "a Korean name that is too long",
        "has 66 bytes",
        add(plain("값" * 22, sa.Integer())),
        add(plain("값" * 21, sa.Integer())),
    ),
    refused(
        "a column renamed",
        'mapped_column\\("note", …\\)',
        both(without("note"), add(plain("remark", sa.Text()))),
    ),
    refused(
        "a table renamed",
        "rename_with_view",
        renamed,
        ByHand(
            'rename_with_view("labels", "tags")\n'
            '    op.execute("ALTER TABLE tags RENAME CONSTRAINT ck_labels_colour TO ck_tags_colour")',
            'op.execute("ALTER TABLE tags RENAME CONSTRAINT ck_tags_colour TO ck_labels_colour")\n'
            '    rename_back_from_view("labels", "tags")',
            "expand",
            renamed,
        ),
    ),
]

WIDENED = [
    Case("a longer text", (replace(plain("code", sa.String(80), unique=True)),), ("expand",), stays=True),
    Case(
        "a text without an end",
        (replace(plain("kind", sa.Text(), server_default="note", nullable=False)),),
        ("expand",),
        stays=True,
    ),
]

GONE = [
    expand("a nullable column gone", without("note")),
    expand("a required number gone", both(without("doubled", "parts"), without("weight", "parts"))),
    expand("a required boolean gone", without("booked", "rooms")),
    expand("a column with a default gone", without("done")),
    expand("a required time gone", without("made_at")),
    expand("a fraction gone", without("price")),
    expand("an array gone", without("tags")),
    expand("an indexed column gone with its rule", without("size")),
    expand("a column gone that the database computes", without("doubled", "parts")),
    contract("a required column gone that is in a unique constraint", without("name")),
    contract("a required column gone that refers to another table", without("owner_id")),
    contract("a required column gone that is an enum", without("colour", "labels")),
    expand("a column gone that is unique", without("code")),
    expand("a column gone that an EXCLUDE names", without("period", "rooms")),
    Case("a column gone and dropped", (without("note"), without("note")), ("expand", "contract"), moves=True),
    Case("an indexed column gone and dropped", (without("size"), without("size")), ("expand", "contract"), moves=True),
    Case("a unique column gone and dropped", (without("code"), without("code")), ("expand", "contract"), moves=True),
    Case("a column gone and back", (without("note"), nothing), ("expand", "expand")),
    refused(
        "a column of the primary key gone",
        "take it out of the key alone",
        without("code", "parts"),
        keyed_by("number"),
        phase="contract",
    ),
]

COLUMN_CASES = [*ADDED, *ALTERED, *WIDENED, *GONE, expand("a rule of a new column", OF_ONE)]
