"""Create database_marks: by its one row a database is known from its copies.

The row holds the transaction that wrote it. PostgreSQL keeps the low half of the same number in its system column xmin.
A dump that is restored, or a logical copy, writes the row anew: there the two differ.
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
