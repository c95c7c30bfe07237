"""Mark each change of a note, and remember which notes were deleted for good, whichever release writes.

The trigger of deletions comes behind that of the figures, by its name: see revision 0061.
"""

from alembic import op

from online_migrations.operations import excused

revision = "0062"
down_revision = "0061"
phase = "expand"

WHY = "It writes columns and a table of which the release before knows nothing."


def upgrade() -> None:
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER mark_change BEFORE INSERT OR UPDATE ON notes"
            " FOR EACH ROW EXECUTE FUNCTION mark_change_of_note()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER remember_deletions AFTER DELETE ON notes REFERENCING OLD TABLE AS old_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION remember_deletions()"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER remember_deletions ON notes")
    op.execute("DROP TRIGGER mark_change ON notes")
