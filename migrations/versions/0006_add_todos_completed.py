"""Add todos.completed.

The table has rows by now, and they are open. The default stays: the release before goes on inserting todos without
naming this column, and a constant default is added to NOT NULL without rewriting a row.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("todos", sa.Column("completed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("todos", "completed")
