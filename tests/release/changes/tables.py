"""Tables: new ones of every kind, those that go, and their comments."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql

from tests.release.changes import Case, ModelChange, add, both, expand, nothing, table
from tests.release.changes.columns import Shout
from tests.release.shop import enum, identity


def new(*items: Any, **options: Any) -> ModelChange:
    """Items are recreated each time: those of a table belong to it."""
    return lambda metadata: sa.Table("shelves", metadata, identity(), *(item() for item in items), **options)


def gone(*names: str) -> ModelChange:
    def change(metadata: MetaData) -> None:
        for name in names:
            metadata.remove(table(metadata, name))

    return change


def commented(comment: str | None) -> ModelChange:
    return lambda metadata: setattr(table(metadata), "comment", comment)


NEW = [
    expand("a new table", new()),
    expand("a new table with an index", new(lambda: sa.Column("name", sa.Text, index=True))),
    expand("a new table with a comment", new(comment="it's 100% new")),
    expand(
        "a new table with a percent sign as default",
        new(lambda: sa.Column("name", sa.Text, server_default=sa.text("'100%'"))),
    ),
    expand(
        "a new table with a default", new(lambda: sa.Column("name", sa.Text, server_default="100%", nullable=False))
    ),
    expand(
        "a new table that refers", new(lambda: sa.Column("owner_id", sa.ForeignKey("owners.id", ondelete="CASCADE")))
    ),
    expand("a new table with unique names", new(lambda: sa.Column("name", sa.Text, unique=True))),
    expand(
        "a new table with a unique constraint that is looked at later",
        new(lambda: sa.Column("name", sa.Text), lambda: sa.UniqueConstraint("name", deferrable=True)),
    ),
    expand(
        "a new table with a rule",
        new(lambda: sa.Column("name", sa.Text), lambda: sa.CheckConstraint("name LIKE 'a%'", name="named")),
    ),
    expand("a new table with an enum", new(lambda: sa.Column("colour", enum("red", "blue")))),
    expand("a new table with a type decorator", new(lambda: sa.Column("name", Shout(9)))),
    expand("a new table with a computed column", new(lambda: sa.Column("twice", sa.Integer, sa.Computed("id * 2")))),
    expand("a new table with a sequence", new(lambda: sa.Column("turn", sa.Integer, sa.Sequence("turns")))),
    expand(
        "a new table with a partial index",
        new(
            lambda: sa.Column("name", sa.Text),
            lambda: sa.Index("ix_shelves_part", "name", postgresql_where=sa.text("name LIKE 'a%'")),
        ),
    ),
    expand(
        "a new table with an EXCLUDE constraint",
        new(
            lambda: sa.Column("period", postgresql.INT4RANGE),
            lambda: postgresql.ExcludeConstraint(("period", "&&"), name="ex_shelves_period"),
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
        both(
            new(),
            lambda metadata: sa.Table(
                "boxes", metadata, identity(), sa.Column("shelf_id", sa.ForeignKey("shelves.id"))
            ),
        ),
    ),
    expand("a new table with an odd name", lambda metadata: sa.Table("Odd % shop.", metadata, identity())),
    expand("a new table beside a new column", both(new(), add(lambda: sa.Column("extra", sa.Integer)))),
]

GONE = [
    expand("a table gone", gone("labels")),
    expand("a table gone that refers to another", gone("things")),
    expand("two tables gone of which one refers to the other", gone("things", "owners")),
    Case("a table gone and dropped", (gone("labels"), gone("labels")), ("expand", "contract"), moves=True),
    Case(
        "two tables gone and dropped of which one refers to the other",
        (gone("things", "owners"), gone("things", "owners")),
        ("expand", "contract"),
        moves=True,
    ),
    Case("a table gone and back", (gone("labels"), nothing), ("expand", "expand")),
]

COMMENTS = [
    expand("another comment of a table", commented("it's 100% new")),
    expand("the comment of a table gone", commented(None)),
]

TABLE_CASES: list[Case] = [*NEW, *GONE, *COMMENTS]
