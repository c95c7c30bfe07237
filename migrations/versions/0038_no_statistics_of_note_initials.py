"""Keep no statistics of the initial consonants of notes, for the reasons of revision 0032."""

from alembic import op

revision = "0038"
down_revision = "0037"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER INDEX ix_notes_initials ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    op.execute("ALTER INDEX ix_notes_initials ALTER COLUMN 1 SET STATISTICS -1")
