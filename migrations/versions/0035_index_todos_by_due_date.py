"""Index open todos by due date, for the list of what is due today."""

import sqlalchemy as sa

from app.release.operations import create_index_online, drop_index_online

revision = "0035"
down_revision = "0034"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_todos_due",
        "todos",
        ["user_id", sa.text("('2000-01-01'::date - due_on)"), "id"],
        postgresql_where=sa.text("NOT completed AND deleted_at IS NULL AND due_on IS NOT NULL"),
    )


def downgrade() -> None:
    drop_index_online("ix_todos_due")
