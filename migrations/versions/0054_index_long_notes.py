"""Index the notes whose text is longer than what is indexed for the search, which looks through the newest of them."""

import sqlalchemy as sa

from online_migrations.operations import create_index_online, drop_index_online

revision = "0054"
down_revision = "0053"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_notes_long",
        "notes",
        ["user_id", "pinned", "created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL AND char_length(content) > 2000"),
    )


def downgrade() -> None:
    drop_index_online("ix_notes_long")
