"""Keep the figures of todos.

Each write of `todos` adds to the figures of revision 0025, whichever release sends it. CREATE TRIGGER waits until the
writes that began before it have ended.
"""

from alembic import op

from app.release.operations import excused

revision = "0027"
down_revision = "0026"
phase = "expand"

WHY = "It changes no row of todos. It adds to figures, of which the release before knows nothing."


def upgrade() -> None:
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_inserted AFTER INSERT ON todos REFERENCING NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_todos_inserted()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_updated AFTER UPDATE ON todos"
            " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_todos_updated()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_deleted AFTER DELETE ON todos REFERENCING OLD TABLE AS old_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_todos_deleted()"
        )


def downgrade() -> None:
    for event in ("inserted", "updated", "deleted"):
        op.execute(f"DROP TRIGGER keep_figures_{event} ON todos")
