"""Create database_marks: one row by which a database is told from its copies.

`xid` is the transaction that wrote the row, and so is its system column xmin, but only where it was written: what dump
and restore, or logical replication, write again has another one. It has to be that of the transaction itself: of a
savepoint it would be another.
"""

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "database_marks",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "xid", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text)::bigint"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="pk_database_marks"),
        sa.CheckConstraint("id = 1", name=op.f("ck_database_marks_one_row")),
    )
    op.execute("INSERT INTO database_marks (id) VALUES (1)")


def downgrade() -> None:
    op.drop_table("database_marks")
