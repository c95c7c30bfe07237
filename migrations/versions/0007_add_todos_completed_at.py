"""Add todos.completed_at.

When a todo was done. Of those that were done before this nobody knows it, so it may be NULL and nothing is made up;
the release before goes on completing todos without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("todos", sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("todos", "completed_at")
