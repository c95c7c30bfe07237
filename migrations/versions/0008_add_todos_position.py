"""Add todos.position.

The order of the list becomes the reader's own; all at 0, the newest stand first as before. The new index serves that
order, of the open and the done ones too. The older one stays: the release before lists by it while this one starts, and
again if this one is rolled back.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("todos", sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_todos_user_id_position_id_completed", "todos", ["user_id", "position", "id", "completed"])


def downgrade() -> None:
    op.drop_index("ix_todos_user_id_position_id_completed", "todos")
    op.drop_column("todos", "position")
