"""Create note_versions: what a note said before each of its last edits.

The code writes it, in the statement of the edit, and no trigger: ticking a task is no edit of this kind, and only the
code can tell. The release before writes none, so an edit by it is missing in the history, and nothing else is. The key
has the rows of a note side by side, for its page, for what an edit drops, and for the cascade.
"""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "note_versions",
        sa.Column("note_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("content", sa.String(20_000), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("note_id", "version", name="pk_note_versions"),
        sa.ForeignKeyConstraint(["note_id"], ["notes.id"], name="fk_note_versions_note_id_notes", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("note_versions")
