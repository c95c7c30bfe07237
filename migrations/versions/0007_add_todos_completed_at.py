"""Add todos.completed_at.

When a todo was done. Of those that were done before this nobody knows it, so it may be NULL and nothing is made up;
the release before goes on completing todos without it.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0007"
down_revision = "0006"
phase = "expand"


def upgrade() -> None:
    add_column_online("todos", sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    drop_column_contract("todos", "completed_at")
