"""Create tag_readings: how far the texts of all notes were read again by the present rule of what a tag is.

A job of the worker reads them in batches (app/notes/tasks.py), since the rule is a parser's and no SQL.
"""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "tag_readings",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("read_up_to", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tag_readings"),
    )


def downgrade() -> None:
    op.drop_table("tag_readings")
