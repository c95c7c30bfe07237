"""Indexes, constraints and tables: added, taken away, and changed under the same name."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy import MetaData
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
    index,
    keyed_by,
    plain,
    refused,
    replace,
    table,
    without_constraint,
    without_index,
)
from tests.online_migrations.changes.columns import Shout
from tests.online_migrations.shop import enum, identity


def in_place_of(name: str, *columns: Any, **options: Any) -> ModelChange:
    return both(without_index(name), index(name, *columns, **options))


INDEXES = [
    expand("an index on a part", index("ix_new", "name", postgresql_where=sa.text("name LIKE 'a%'")))
    .of("C")
    .written("""create_index_online('ix_new', 'things', ['name'], postgresql_where=sa.text("name LIKE 'a%'"))"""),
    expand(
        "indexes of every kind, and with other columns, another condition, another name",
        both(
            index("ix_order", sa.text("made_at DESC"), sa.text("size DESC NULLS LAST")),
            index("ix_lower", sa.func.lower(sa.column("name"))),
            index("ix_gin", "tags", postgresql_using="gin"),
            index("ix_hash", "code", postgresql_using="hash"),
            index("ix_include", "name", postgresql_include=["size"]),
            index("ix_class", "name", postgresql_ops={"name": "text_pattern_ops"}),
            index("ix_with", "name", postgresql_with={"fillfactor": 70}),
            index("ix_odd", "값 %", on="Odd order"),
            index("Odd % index", "name"),
            in_place_of("ix_things_kind_made_at", "made_at", "kind"),
            in_place_of("ix_things_part", "name", postgresql_where=sa.text("NOT done")),
            *(without_index("ix_things_size"), index("ix_other", "name", "kind")),
        ),
    ).of("C"),
    contract(
        "unique indexes",
        both(
            index("ix_new", "name", unique=True),
            index("ix_part", "name", unique=True, postgresql_where=sa.text("done")),
            index("ix_lower", sa.func.lower(sa.column("name")), unique=True),
            index("ix_null", "code", "name", unique=True, postgresql_nulls_not_distinct=True),
        ),
    ).of("G"),
    expand("an index gone", without_index("ix_things_size")).of("D").written("drop_index_online('ix_things_size')"),
]


def unique(*columns: str, **options: Any) -> ModelChange:
    return constrain(lambda: sa.UniqueConstraint(*columns, **options))


def check(condition: str | sa.ColumnElement[bool], name: str = "new") -> ModelChange:
    return constrain(lambda: sa.CheckConstraint(condition, name=name))


UNIQUE_AGAIN = "uq_things_owner_id_name"

UNIQUE = [
    contract(
        "unique constraints of every kind, an index that becomes unique, and another rule of the name",
        both(
            in_place_of("ix_things_kind_made_at", "kind", "made_at", "id", unique=True),
            *(without_constraint("ck_things_size"), check("size >= 1", "size")),
            unique("kind", "name"),
            unique("name", name="uq_later", deferrable=True, initially="DEFERRED"),
            unique("code", "name", name="uq_null", postgresql_nulls_not_distinct=True),
            unique("name", name="uq_include", postgresql_include=["size"]),
        ),
    ).of("H"),
    expand("a new column that is unique", add(plain("extra", sa.String(9), unique=True)))
    .of("B")
    .written(
        "add_column_online('things', sa.Column('extra', sa.String(length=9), nullable=True))",
        "add_unique_online('things', 'uq_things_extra', ['extra'])",
    ),
    expand(
        "a unique constraint on an old column and a new one that may be NULL",
        both(add(plain("extra", sa.String(9))), unique("name", "extra")),
    ).of("C"),
    contract("a unique constraint gone", without_constraint(UNIQUE_AGAIN))
    .of("J")
    .written(f"drop_constraint_online('things', '{UNIQUE_AGAIN}')"),
    contract(
        "unique constraints with other columns, and on a new and an old one",
        both(
            *(without_constraint(UNIQUE_AGAIN), unique("name", "kind", "id", name=UNIQUE_AGAIN)),
            *(add(plain("extra", sa.String(9), server_default="x")), unique("name", "extra")),
        ),
    ).of("I"),
]


CHECKS = [
    contract(
        "rules of every kind",
        both(
            check(sa.column("size", sa.Integer).in_([1, 2, 3]), "python"),
            check("name LIKE '%thing%'", "percent"),
            check("name !~ '[:]'", "colon"),
            both(add(plain("most", sa.Integer)), check("size <= most", "most")),
        ),
    ).of("G"),
    expand(
        "a rule gone, and one that allows more",
        both(
            *(without_constraint("ck_things_size"), without_constraint("ck_things_kind")),
            check("kind IN ('note', 'todo', 'file')", "kind"),
        ),
    ).of("A"),
]


WITHOUT_OWNER_KEY = replace(plain("owner_id", sa.BigInteger, nullable=False))


def refers(*columns: str, to: tuple[str, ...] = ("owners.id",), **options: Any) -> ModelChange:
    return constrain(lambda: sa.ForeignKeyConstraint(columns, to, **options))


def owned(**options: Any) -> ModelChange:
    """Let the foreign key of things.owner_id say something else."""
    return replace(lambda: sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("owners.id", **options), nullable=False))


def with_table(name: str) -> ModelChange:
    return lambda metadata: sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True))


FOREIGN_KEYS = [
    contract("a foreign key with options", refers("parent_id", onupdate="CASCADE", deferrable=True))
    .of("H")
    .written(
        "add_foreign_key_online('fk_things_parent_id_owners', 'things', 'owners', ['parent_id'], ['id'],"
        " onupdate='CASCADE', deferrable=True)"
    ),
    contract(
        "foreign keys of every kind",
        both(
            refers("parent_id"),
            refers("parent_id", to=("things.id",), ondelete="SET NULL"),
            refers("parent_id", name="fk_later", ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
            refers("parent_id", name="fk_full", match="FULL"),
        ),
    ).of("I"),
    expand(
        "new columns that refer to an old and to a new table, and two of one key",
        both(
            with_table("bosses"),
            add(lambda: sa.Column("boss_id", sa.ForeignKey("bosses.id"))),
            add(lambda: sa.Column("patron_id", sa.ForeignKey("owners.id", ondelete="CASCADE"))),
            add(plain("part_code", sa.String(10))),
            add(plain("part_number", sa.Integer)),
            refers("part_code", "part_number", to=("parts.code", "parts.number")),
        ),
    ).of("A"),
    contract("a foreign key that says something else", owned(deferrable=True)).of("J"),
]


def exclude(name: str, **options: Any) -> ModelChange:
    return constrain(lambda: postgresql.ExcludeConstraint(("period", "&&"), name=name, **options), "rooms")


def in_excuse(sql: str) -> str:
    return f'with excused("There are three rooms."):\n        op.execute("{sql}")'


FREE, BOOKED = (f"EXCLUDE USING gist (period WITH &&) WHERE ({state})" for state in ("(NOT booked)", "booked"))
WITHOUT_EXCLUDE = without_constraint("ex_rooms_period", "rooms")
OTHER_EXCLUDE = both(WITHOUT_EXCLUDE, exclude("ex_rooms_period", where=sa.text("NOT booked")))
CHANGE_EXCLUDE = "ALTER TABLE rooms DROP CONSTRAINT ex_rooms_period, ADD CONSTRAINT ex_rooms_period {}"

KEYS = [
    refused(
        "another primary key of a table that others refer to",
        "Take that foreign key out",
        keyed_by("id", "email", of="owners"),
        WITHOUT_OWNER_KEY,
        both(keyed_by("id", "email", of="owners"), WITHOUT_OWNER_KEY),
        phase="contract",
    ),
    refused(
        "another EXCLUDE constraint of the same name",
        re.escape(f"one statement op.execute({CHANGE_EXCLUDE.format(FREE)!r})"),
        OTHER_EXCLUDE,
        ByHand(
            in_excuse(CHANGE_EXCLUDE.format(FREE)), in_excuse(CHANGE_EXCLUDE.format(BOOKED)), "contract", OTHER_EXCLUDE
        ),
    ),
    contract("another primary key", keyed_by("number")).of("G"),
]

RULE_CASES: list[Case] = [*INDEXES, *UNIQUE, *CHECKS, *FOREIGN_KEYS, *KEYS]


def new(name: str = "shelves", *items: Any, **options: Any) -> ModelChange:
    """Add a table. Its items are recreated each time, because they belong to it."""
    return lambda metadata: sa.Table(name, metadata, identity(), *(item() for item in items), **options)


def gone(*names: str) -> ModelChange:
    def change(metadata: MetaData) -> None:
        for name in names:
            metadata.remove(table(metadata, name))

    return change


NEW_TABLES = [
    expand(
        "a new table with one of everything",
        new(
            "shelves",
            plain("name", sa.Text, index=True),
            plain("percent", sa.Text, server_default=sa.text("'100%'")),
            plain("word", sa.Text, server_default="100%", nullable=False, unique=True),
            lambda: sa.Column("owner_id", sa.ForeignKey("owners.id", ondelete="CASCADE")),
            lambda: sa.Column("colour", enum("red", "blue")),
            lambda: sa.Column("shout", Shout(9)),
            lambda: sa.Column("twice", sa.Integer, sa.Computed("id * 2")),
            plain("period", postgresql.INT4RANGE),
            lambda: sa.UniqueConstraint("name", deferrable=True),
            lambda: sa.CheckConstraint("name LIKE 'a%'", name="named"),
            lambda: sa.Index("ix_shelves_part", "name", postgresql_where=sa.text("name LIKE 'a%'")),
            lambda: postgresql.ExcludeConstraint(("period", "&&"), name="ex_shelves_period"),
            comment="it's 100% new",
        ),
    ).of("B"),
    expand(
        "new tables, of which one refers to the other and one is UNLOGGED",
        both(
            *(new(), new("boxes", lambda: sa.Column("shelf_id", sa.ForeignKey("shelves.id")))),
            new("logs", prefixes=["UNLOGGED"]),
        ),
    ).of("D"),
    expand("an odd new table beside a new column", both(new("Odd % shop."), add(plain("extra", sa.Integer)))).of("E"),
]

GONE_TABLES = [
    expand("a table gone with comment, indexes and rules", gone("things")).written("retire_table_online('things')"),
    Case(
        "two tables gone and dropped of which one refers to the other",
        (gone("things", "owners"), gone("things", "owners")),
        ("expand", "contract"),
        moves=True,
    ),
]

TABLE_CASES: list[Case] = [*NEW_TABLES, *GONE_TABLES]
