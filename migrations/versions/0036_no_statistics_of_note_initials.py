"""Keep no statistics of the initial consonants of notes, for the reasons of revision 0032."""

from alembic import op

revision = "0036"
down_revision = "0035"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER INDEX ix_notes_initials ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    op.execute("ALTER INDEX ix_notes_initials ALTER COLUMN 1 SET STATISTICS -1")
