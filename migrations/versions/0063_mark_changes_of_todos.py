"""Mark each change of a todo, and remember which todos were deleted for good, whichever release writes.

The trigger of deletions comes behind that of the figures, by its name: see revision 0061.
"""

from alembic import op

from online_migrations.operations import excused

revision = "0063"
down_revision = "0062"
phase = "expand"

WHY = "It writes columns and a table of which the release before knows nothing."


def upgrade() -> None:
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER mark_change BEFORE INSERT OR UPDATE ON todos"
            " FOR EACH ROW EXECUTE FUNCTION mark_change_of_todo()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER remember_deletions AFTER DELETE ON todos REFERENCING OLD TABLE AS old_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION remember_deletions()"
        )


def downgrade() -> None:
    op.execute("DROP TRIGGER remember_deletions ON todos")
    op.execute("DROP TRIGGER mark_change ON todos")
