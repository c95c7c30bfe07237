"""Drop the superseded index (user_id, id) of todos.

Releases before 0008 listed todos by it. Since 0008 the list reads (user_id, position, id, completed), which also serves
the cascade from users, so the old index costs every write and serves no read. The release before this one is at 0014
or later and does not need it.
"""

from app.release.operations import create_index_online, drop_index_online

revision = "0016"
down_revision = "0015"
phase = "expand"


def upgrade() -> None:
    drop_index_online("ix_todos_user_id_id")


def downgrade() -> None:
    create_index_online("ix_todos_user_id_id", "todos", ["user_id", "id"])
