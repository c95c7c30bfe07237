"""Keep the figures of word counts.

Each write of `results` adds to the figures of revision 0025, whichever release sends it. CREATE TRIGGER waits until the
writes that began before it have ended.
"""

from alembic import op

from app.release.operations import excused

revision = "0028"
down_revision = "0027"
phase = "expand"

WHY = "It changes no row of results. It adds to figures, of which the release before knows nothing."


def upgrade() -> None:
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_inserted AFTER INSERT ON results REFERENCING NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_results_inserted()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_updated AFTER UPDATE ON results"
            " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_results_updated()"
        )
    with excused(WHY):
        op.execute(
            "CREATE TRIGGER keep_figures_deleted AFTER DELETE ON results REFERENCING OLD TABLE AS old_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION keep_figures_of_results_deleted()"
        )


def downgrade() -> None:
    for event in ("inserted", "updated", "deleted"):
        op.execute(f"DROP TRIGGER keep_figures_{event} ON results")
