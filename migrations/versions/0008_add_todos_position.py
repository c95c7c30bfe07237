"""Add todos.position.

The order of the list becomes the reader's own; all at 0, the newest stand first as before. The new index serves that
order, of the open and the done ones too. The older one stays: the release before lists by it while this one starts, and
again if this one is rolled back.
"""

import sqlalchemy as sa

from app.release.operations import (
    add_column_online,
    create_index_online,
    drop_column_contract,
    drop_index_online,
)

revision = "0008"
down_revision = "0007"
phase = "expand"


def upgrade() -> None:
    add_column_online("todos", sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    create_index_online("ix_todos_user_id_position_id_completed", "todos", ["user_id", "position", "id", "completed"])


def downgrade() -> None:
    drop_index_online("ix_todos_user_id_position_id_completed")
    drop_column_contract("todos", "position")
