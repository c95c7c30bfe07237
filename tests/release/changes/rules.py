"""Indexes and constraints: added, taken away, and changed under the same name."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.release.changes import (
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
    refused,
    replace,
    without_constraint,
    without_index,
)

INDEXES = [
    expand("an index", index("ix_new", "name")),
    expand("an index on two columns", index("ix_new", "kind", "name")),
    expand("an index that falls", index("ix_new", sa.text("made_at DESC"))),
    expand("an index with NULL first", index("ix_new", sa.text("size DESC NULLS LAST"))),
    expand("an index on an expression", index("ix_new", sa.func.lower(sa.column("name")))),
    expand("an index on a part", index("ix_new", "name", postgresql_where=sa.text("size > 5"))),
    expand(
        "an index on a part with a percent sign", index("ix_new", "name", postgresql_where=sa.text("name LIKE 'a%'"))
    ),
    expand("an index on an array", index("ix_new", "tags", postgresql_using="gin")),
    expand("an index by hash", index("ix_new", "code", postgresql_using="hash")),
    expand("an index on ranges", index("ix_new", "made_at", postgresql_using="brin")),
    expand("an index that includes a column", index("ix_new", "name", postgresql_include=["size"])),
    expand("an index with a class", index("ix_new", "name", postgresql_ops={"name": "text_pattern_ops"})),
    expand("an index with a fill factor", index("ix_new", "name", postgresql_with={"fillfactor": 70})),
    expand("an index on an odd name", index("ix_odd", "값 %", on="Odd order")),
    expand("an index with an odd name", index("Odd % index", "name")),
    contract("a unique index", index("ix_new", "name", unique=True)),
    contract("a unique index on a part", index("ix_new", "name", unique=True, postgresql_where=sa.text("done"))),
    contract("a unique index on an expression", index("ix_new", sa.func.lower(sa.column("name")), unique=True)),
    contract(
        "a unique index in which NULL is the same as NULL",
        index("ix_new", "code", "name", unique=True, postgresql_nulls_not_distinct=True),
    ),
    expand("an index on a new column", add(lambda: sa.Column("extra", sa.Integer, index=True))),
    expand("a unique index on a new column", add(lambda: sa.Column("extra", sa.Integer, index=True, unique=True))),
    expand("an index gone", without_index("ix_things_kind_made_at")),
    expand("an index of a column gone", without_index("ix_things_size")),
    expand("an index on a part gone", without_index("ix_things_part")),
]


def in_place_of(name: str, *columns: Any, **options: Any) -> ModelChange:
    return both(without_index(name), index(name, *columns, **options))


CHANGED_INDEXES = [
    expand("an index with other columns", in_place_of("ix_things_kind_made_at", "made_at", "kind")),
    expand(
        "an index with another condition", in_place_of("ix_things_part", "name", postgresql_where=sa.text("NOT done"))
    ),
    expand("an index without its condition", in_place_of("ix_things_part", "name")),
    expand("an index by another method", in_place_of("ix_things_part", "name", postgresql_using="hash")),
    expand(
        "an index in another order",
        in_place_of("ix_things_part", sa.text("name DESC"), postgresql_where=sa.text("done")),
    ),
    expand(
        "an index with another class",
        in_place_of(
            "ix_things_part", "name", postgresql_where=sa.text("done"), postgresql_ops={"name": "text_pattern_ops"}
        ),
    ),
    contract(
        "an index that becomes unique", in_place_of("ix_things_kind_made_at", "kind", "made_at", "id", unique=True)
    ),
    expand("an index under another name", both(without_index("ix_things_part"), index("ix_other", "name", "kind"))),
]


def unique(*columns: str, **options: Any) -> ModelChange:
    return constrain(lambda: sa.UniqueConstraint(*columns, **options))


UNIQUE_AGAIN = "uq_things_owner_id_name"

UNIQUE = [
    contract("a unique constraint", unique("name")),
    contract("a unique constraint on two columns", unique("kind", "name")),
    contract("a unique constraint that is looked at later", unique("name", deferrable=True, initially="DEFERRED")),
    contract("a unique constraint in which NULL is NULL", unique("code", "name", postgresql_nulls_not_distinct=True)),
    contract("a unique constraint that includes a column", unique("name", postgresql_include=["size"])),
    expand("a new column that is unique", add(lambda: sa.Column("extra", sa.String(9), unique=True))),
    contract(
        "a unique constraint on a new and an old column",
        both(add(lambda: sa.Column("extra", sa.String(9), server_default="x")), unique("name", "extra")),
    ),
    expand(
        "a unique constraint on an old column and a new one that may be NULL",
        both(add(lambda: sa.Column("extra", sa.String(9))), unique("name", "extra")),
    ),
    refused(
        "a new column that is unique and has a default",
        "would all get one value",
        add(lambda: sa.Column("extra", sa.String(9), server_default="x", nullable=False, unique=True)),
        add(lambda: sa.Column("extra", sa.String(9), unique=True)),
    ),
    contract("a unique constraint gone", without_constraint(UNIQUE_AGAIN)),
    contract(
        "a unique constraint with other columns",
        both(without_constraint(UNIQUE_AGAIN), unique("name", "kind", "id", name=UNIQUE_AGAIN)),
    ),
    contract(
        "a unique constraint that becomes deferrable",
        both(without_constraint(UNIQUE_AGAIN), unique("owner_id", "name", name=UNIQUE_AGAIN, deferrable=True)),
    ),
]


def check(condition: str | sa.ColumnElement[bool], name: str = "new") -> ModelChange:
    return constrain(lambda: sa.CheckConstraint(condition, name=name))


CHECKS = [
    contract("a rule", check("size < 100")),
    contract("a rule in Python", check(sa.column("size", sa.Integer).in_([1, 2, 3]))),
    contract("a rule with a percent sign", check("name LIKE '%thing%'")),
    contract("a rule with a colon", check("name !~ '[:]'")),
    contract(
        "a rule of an old and a new column", both(add(lambda: sa.Column("most", sa.Integer)), check("size <= most"))
    ),
    expand("a rule gone", without_constraint("ck_things_size")),
    contract("another rule of the name", both(without_constraint("ck_things_size"), check("size >= 1", "size"))),
    expand(
        "a rule that allows more",
        both(without_constraint("ck_things_kind"), check("kind IN ('note', 'todo', 'file')", "kind")),
    ),
    expand(
        "a rule that allows a longer range", both(without_constraint("ck_things_size"), check("size >= -1", "size"))
    ),
    contract("a rule that allows less", both(without_constraint("ck_things_kind"), check("kind IN ('note')", "kind"))),
    contract(
        "a rule that holds NULL",
        both(without_constraint("ck_things_size"), check("size IS NOT NULL AND size >= 0", "size")),
    ),
]


def refers(*columns: str, to: tuple[str, ...] = ("owners.id",), **options: Any) -> ModelChange:
    return constrain(lambda: sa.ForeignKeyConstraint(columns, to, **options))


def owned(**options: Any) -> ModelChange:
    """things.owner_id, whose foreign key says something else."""
    return replace(lambda: sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("owners.id", **options), nullable=False))


FOREIGN_KEYS = [
    contract("a foreign key", refers("parent_id")),
    contract("a foreign key to the same table", refers("parent_id", to=("things.id",), ondelete="SET NULL")),
    contract("a foreign key that cascades", refers("parent_id", ondelete="CASCADE", onupdate="CASCADE")),
    contract("a foreign key that is looked at later", refers("parent_id", deferrable=True, initially="DEFERRED")),
    contract("a foreign key that matches all", refers("parent_id", match="FULL")),
    expand(
        "a new column that refers", add(lambda: sa.Column("boss_id", sa.ForeignKey("owners.id", ondelete="CASCADE")))
    ),
    expand(
        "a new column that refers to a new table",
        both(
            lambda metadata: sa.Table("bosses", metadata, sa.Column("id", sa.BigInteger, primary_key=True)),
            add(lambda: sa.Column("boss_id", sa.ForeignKey("bosses.id"))),
        ),
    ),
    expand(
        "two columns of one key that refer",
        both(
            add(lambda: sa.Column("part_code", sa.String(10))),
            add(lambda: sa.Column("part_number", sa.Integer)),
            refers("part_code", "part_number", to=("parts.code", "parts.number")),
        ),
    ),
    expand(
        "two foreign keys with long names",
        both(
            add(
                lambda: sa.Column(
                    "a_very_long_name_of_a_column_that_refers_to_the_owner_one", sa.ForeignKey("owners.id")
                )
            ),
            add(
                lambda: sa.Column(
                    "a_very_long_name_of_a_column_that_refers_to_the_owner_two", sa.ForeignKey("owners.id")
                )
            ),
        ),
    ),
    contract("a foreign key gone", replace(lambda: sa.Column("owner_id", sa.BigInteger, nullable=False))),
    expand(
        "a foreign key without an action, come and gone",
        add(lambda: sa.Column("boss_id", sa.ForeignKey("owners.id"))),
        add(lambda: sa.Column("boss_id", sa.BigInteger)),
    ),
    contract("a foreign key that no longer cascades", owned()),
    contract("a foreign key that sets NULL", owned(ondelete="SET DEFAULT", onupdate="CASCADE")),
    contract("a foreign key that becomes deferrable", owned(ondelete="CASCADE", deferrable=True)),
]

EXCLUDE = "EXCLUDE USING gist (period WITH &&)"


def exclude(name: str, **options: Any) -> ModelChange:
    return constrain(lambda: postgresql.ExcludeConstraint(("period", "&&"), name=name, **options), "rooms")


def by_hand(name: str) -> ByHand:
    add_it = (
        'with excused("There are three rooms."):\n'
        f'        op.execute("ALTER TABLE rooms ADD CONSTRAINT {name} {EXCLUDE} WHERE (NOT booked)")'
    )
    drop = f'op.execute("ALTER TABLE rooms DROP CONSTRAINT {name}")'
    return ByHand(add_it, drop, "contract", exclude(name, where=sa.text("NOT booked")))


KEYS = [
    contract("another primary key", keyed_by("number")),
    contract("a primary key with fewer columns", keyed_by("code", "number", "weight")),
    refused(
        "another primary key of a table that others refer to",
        "Take that foreign key out",
        keyed_by("id", "email", of="owners"),
        replace(lambda: sa.Column("owner_id", sa.BigInteger, nullable=False)),
        both(
            keyed_by("id", "email", of="owners"),
            replace(lambda: sa.Column("owner_id", sa.BigInteger, nullable=False)),
        ),
        phase="contract",
    ),
    refused(
        "an EXCLUDE constraint",
        "EXCLUDE has no other way",
        exclude("ex_new", where=sa.text("NOT booked")),
        by_hand("ex_new"),
    ),
    contract("an EXCLUDE constraint gone", without_constraint("ex_rooms_period", "rooms")),
]

RULE_CASES: list[Case] = [*INDEXES, *CHANGED_INDEXES, *UNIQUE, *CHECKS, *FOREIGN_KEYS, *KEYS]
