"""Create note_shares: the secret links by which anybody may read a note.

A table of its own, so that sharing a note neither writes the note anew nor its entries in the indexes of the search. A
note belongs to one person for ever, so `user_id` needs no foreign key of its own: the one of the note deletes the row
with the account too. The release before knows no such link, and a note that it deletes takes its link along.
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "note_shares",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("note_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(22, collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_note_shares"),
        sa.UniqueConstraint("note_id", name="uq_note_shares_note_id"),
        sa.UniqueConstraint("token", name="uq_note_shares_token"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_note_shares_note_id_notes", ondelete="CASCADE"),
    )
    op.create_index("ix_note_shares_user_id_id", "note_shares", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("note_shares")
