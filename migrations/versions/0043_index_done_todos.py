"""Index the done todos, the latest first, for the few that are folded below the open ones.

Todos that were done before they had `completed_at` come last. The release before does not use the index.
"""

import sqlalchemy as sa

from app.release.operations import create_index_online, drop_index_online

revision = "0043"
down_revision = "0042"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_todos_done",
        "todos",
        ["user_id", sa.text("completed_at DESC NULLS LAST"), sa.text("id DESC")],
        postgresql_where=sa.text("completed AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    drop_index_online("ix_todos_done")
