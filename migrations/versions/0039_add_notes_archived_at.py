"""Add notes.archived_at and figures.notes_archived.

Since when a note is in the archive, NULL for one that is in the list, as all are now; and how many are there.

Both come before the functions that write them, in a step of their own, and go after these: a write under way finds
the columns that its function names. Until the next revision the nightly check takes each figure for wrong that it looks
at, since it compares whole rows, and writes it as it is.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0039"
down_revision = "0038"
phase = "expand"


def upgrade() -> None:
    add_column_online("notes", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))
    add_column_online("figures", sa.Column("notes_archived", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    drop_column_contract("figures", "notes_archived")
    drop_column_contract("notes", "archived_at")
