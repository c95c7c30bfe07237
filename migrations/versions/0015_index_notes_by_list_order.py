"""Index notes by the order of their list.

The list is ordered by (pinned, created_at, id) and shows one page of the notes that are not deleted. With this index
PostgreSQL reads the rows of that page and no others. Deleted notes are not in it: a full trash costs the list nothing.

The older index (user_id, pinned, id) stays. The release before this one reads its list by it, and may still serve or
come back. It is also the one index that holds the deleted notes of a user, which the trash, the figures beside the
list and the cascade from users need. An index (user_id, deleted_at) could replace it in a later release.
"""

import sqlalchemy as sa

from app.release.operations import create_index_online, drop_index_online

revision = "0015"
down_revision = "0014"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_notes_user_id_pinned_created_at_id",
        "notes",
        ["user_id", "pinned", "created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def downgrade() -> None:
    drop_index_online("ix_notes_user_id_pinned_created_at_id")
