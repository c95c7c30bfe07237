"""Index the notes that have accents or full-width letters without them, for the search.

Beside ix_notes_terms, so that the release before keeps the index that it reads. No statistics of it are kept, as
revision 0032 has it.
"""

import sqlalchemy as sa
from alembic import op

from online_migrations.operations import create_index_online, drop_index_online

revision = "0056"
down_revision = "0055"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_notes_folded",
        "notes",
        [sa.text("note_folded_terms(user_id, title, content, tags)")],
        postgresql_using="gin",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.execute("ALTER INDEX ix_notes_folded ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    drop_index_online("ix_notes_folded")
