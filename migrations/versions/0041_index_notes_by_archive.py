"""Index the notes of the list, and those of the archive.

With `ix_notes_listed` a page of the list reads its own rows, however many are archived. The index of revision 0015 has
the archived notes too, and stays: the release before reads its list by it. So does what shows archived notes as well:
the notes of a day, the heat map, the walk of the search.

A downgrade takes all notes out of the archive first, while the triggers still know of it. So the figures are right for
the release before, which has them in its list.
"""

import sqlalchemy as sa

from app.release.operations import backfill, create_index_online, drop_index_online

revision = "0041"
down_revision = "0040"
phase = "expand"


def upgrade() -> None:
    create_index_online(
        "ix_notes_listed",
        "notes",
        ["user_id", "pinned", "created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL AND archived_at IS NULL"),
    )
    create_index_online(
        "ix_notes_archived",
        "notes",
        ["user_id", "archived_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL AND archived_at IS NOT NULL"),
    )


def downgrade() -> None:
    backfill("notes", "archived_at = NULL", "archived_at IS NOT NULL")
    drop_index_online("ix_notes_archived")
    drop_index_online("ix_notes_listed")
