"""Index what is cleared away at night.

Expired sessions and notes that have been in the trash for thirty days were so far looked for one person at a time, when
that person came. The job that looks for all of them must not read every row for it.
"""

import sqlalchemy as sa

from app.release.operations import create_index_online, drop_index_online

revision = "0011"
down_revision = "0010"
phase = "expand"


def upgrade() -> None:
    create_index_online("ix_user_sessions_expires_at", "user_sessions", ["expires_at"])
    create_index_online(
        "ix_notes_deleted_at", "notes", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )


def downgrade() -> None:
    drop_index_online("ix_notes_deleted_at")
    drop_index_online("ix_user_sessions_expires_at")
