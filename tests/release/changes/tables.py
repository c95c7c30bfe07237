"""Tables: new ones of every kind, those that go, and their comments."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql

from tests.release.changes import Case, ModelChange, add, both, expand, nothing, plain, table
from tests.release.changes.columns import Shout
from tests.release.shop import enum, identity


def new(name: str = "shelves", *items: Any, **options: Any) -> ModelChange:
    """Add a table. Its items are recreated each time, because they belong to it."""
    return lambda metadata: sa.Table(name, metadata, identity(), *(item() for item in items), **options)


def gone(*names: str) -> ModelChange:
    def change(metadata: MetaData) -> None:
        for name in names:
            metadata.remove(table(metadata, name))

    return change


NEW = [
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
            lambda: sa.Column("turn", sa.Integer, sa.Sequence("turns")),
            plain("period", postgresql.INT4RANGE),
            lambda: sa.UniqueConstraint("name", deferrable=True),
            lambda: sa.CheckConstraint("name LIKE 'a%'", name="named"),
            lambda: sa.Index("ix_shelves_part", "name", postgresql_where=sa.text("name LIKE 'a%'")),
            lambda: postgresql.ExcludeConstraint(("period", "&&"), name="ex_shelves_period"),
            comment="it's 100% new",
        ),
    ),
    expand("a new table that is UNLOGGED", new(prefixes=["UNLOGGED"])),
    expand(
        "a new table with a key of two columns",
        lambda metadata: sa.Table(
            "pairs",
            metadata,
            sa.Column("one", sa.ForeignKey("owners.id"), primary_key=True),
            sa.Column("two", sa.ForeignKey("things.id"), primary_key=True),
        ),
    ),
    expand(
        "two new tables of which one refers to the other",
        both(new(), new("boxes", lambda: sa.Column("shelf_id", sa.ForeignKey("shelves.id")))),
    ),
    expand(
        "a new table with an odd name beside a new column", both(new("Odd % shop."), add(plain("extra", sa.Integer)))
    ),
]

GONE = [
    expand("a table gone", gone("labels")).written(
        "retire_table_online('labels')", down=("reinstate_table_online('labels')",)
    ),
    Case(
        "two tables gone and dropped of which one refers to the other",
        (gone("things", "owners"), gone("things", "owners")),
        ("expand", "contract"),
        moves=True,
    ),
    Case("a table gone and back", (gone("labels"), nothing), ("expand", "expand")),
]

TABLE_CASES: list[Case] = [*NEW, *GONE]
