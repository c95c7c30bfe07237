"""Add todos.completed.

The table has rows by now, and they are open. The default stays: the release before goes on inserting todos without
naming this column, and a constant default is added to NOT NULL without rewriting a row.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0006"
down_revision = "0005"
phase = "expand"


def upgrade() -> None:
    add_column_online("todos", sa.Column("completed", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    drop_column_contract("todos", "completed")
