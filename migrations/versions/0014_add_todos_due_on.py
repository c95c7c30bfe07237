"""Add todos.due_on and todos.deleted_at.

A day by which a todo is to be done, and the moment at which it was deleted: for a day it can be taken back, then it is
deleted for good, which is what the index is for. The release before knows neither and deletes at once, as it always
did; should it come back, todos of the last day that were deleted show again.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, create_index_online, drop_column_contract, drop_index_online

revision = "0014"
down_revision = "0013"
phase = "expand"


def upgrade() -> None:
    add_column_online("todos", sa.Column("due_on", sa.Date(), nullable=True))
    add_column_online("todos", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    create_index_online(
        "ix_todos_deleted_at", "todos", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )


def downgrade() -> None:
    drop_index_online("ix_todos_deleted_at")
    drop_column_contract("todos", "deleted_at")
    drop_column_contract("todos", "due_on")
