"""Index notes by their n-grams, for the search.

It is a GIN index as PostgreSQL makes it by default: new terms go to its pending list first (fastupdate), and are merged
into it when that is 4 MB long. Without that list, a note of 2,000 characters would take four times as long to write.
A search reads the list too, which takes it a millisecond or two.
"""

import sqlalchemy as sa

from app.release.operations import create_index_online, drop_index_online

revision = "0031"
down_revision = "0030"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_notes_terms",
        "notes",
        [sa.text("note_terms(user_id, title, content, tags)")],
        postgresql_using="gin",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    drop_index_online("ix_notes_terms")
