"""Create todos.

A todo is one line. The one index serves the list, read backwards, and the cascade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "todos",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_todos"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_todos_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_todos_user_id_id", "todos", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("todos")
