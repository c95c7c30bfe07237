"""A small project whose models the tests change: tables of every kind, and rows in them."""

import sqlalchemy as sa
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from app.extensions import NAMING_CONVENTION

ROWS = """
INSERT INTO owners (email) SELECT 'owner ' || n FROM generate_series(1, 3) n;
INSERT INTO things (owner_id, name, note, size, price, code, made_at)
    SELECT n, 'thing ' || n, 'a note', n, 1.5, 'code ' || n, now() FROM generate_series(1, 3) n;
INSERT INTO parts (code, number, weight) SELECT 'part', n, 2 FROM generate_series(1, 3) n;
INSERT INTO rooms (period, booked) SELECT int4range(n, n + 1), false FROM generate_series(1, 3) n;
INSERT INTO labels (name, colour) SELECT 'label ' || n, 'red' FROM generate_series(1, 3) n;
INSERT INTO typed (price, feeling, label) SELECT n + 0.1, 'good', 'label ' || n FROM generate_series(1, 3) n;
INSERT INTO "Odd order" ("user", "값 %") SELECT n, n FROM generate_series(1, 3) n;
"""


def identity() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def models() -> MetaData:
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("owners", metadata, identity(), sa.Column("email", sa.String(120), unique=True, nullable=False))
    Table(
        "things",
        metadata,
        identity(),
        sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("owners.id", ondelete="CASCADE"), nullable=False),
        sa.Column("parent_id", sa.BigInteger),
        sa.Column("name", sa.String(50), nullable=False, comment="what it is called"),
        sa.Column("note", sa.Text),
        sa.Column("size", sa.Integer, index=True),
        sa.Column("price", sa.Numeric(10, 2)),
        sa.Column("code", sa.String(10), unique=True),
        sa.Column("kind", sa.String(10), server_default="note", nullable=False),
        sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tags", sa.ARRAY(sa.Text)),
        sa.CheckConstraint("size >= 0", name="size"),
        sa.CheckConstraint("kind IN ('note', 'todo')", name="kind"),
        sa.UniqueConstraint("owner_id", "name"),
        sa.Index("ix_things_kind_made_at", "kind", "made_at"),
        sa.Index("ix_things_part", "name", postgresql_where=sa.text("done")),
        comment="what is owned",
    )
    Table(
        "parts",
        metadata,
        sa.Column("code", sa.String(10), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("doubled", sa.Integer, sa.Computed("weight * 2", persisted=True)),
    )
    Table(
        "rooms",
        metadata,
        identity(),
        sa.Column("period", postgresql.INT4RANGE),
        sa.Column("booked", sa.Boolean, nullable=False),
        postgresql.ExcludeConstraint(("period", "&&"), name="ex_rooms_period", where=sa.text("booked")),
    )
    Table(
        "labels",
        metadata,
        identity(),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("colour", enum("red", "blue"), nullable=False),
    )
    Table(  # of types that ask for more than ALTER COLUMN
        "typed",
        metadata,
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("price", sa.REAL),
        sa.Column("feeling", sa.Enum("good", "bad", name="feeling")),
        sa.Column("label", sa.String(50)),
        sa.Index("ix_typed_label", sa.func.lower(sa.column("label"))),
    )
    user, odd = sa.Column("user", sa.Integer, nullable=False), sa.Column("값 %", sa.Integer)
    Table("Odd order", metadata, identity(), user, odd)
    return metadata


def enum(*values: str, name: str = "colour") -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=10)
