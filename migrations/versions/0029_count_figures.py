"""Count the figures of everybody.

Whoever is there is counted from the rows. Whoever comes from now on begins with none, and triggers keep it so. When the
upgrade ends, all figures are whole; the code of this release reads them from its first request on, since it waits for
its schema. `figures_counted_at` says when that was; the nightly check goes on from whoever was counted longest ago.

The trash gets the index of its order, so that a page reads as many rows of it as it shows.
"""

import sqlalchemy as sa

from app.release.operations import (
    add_column_online,
    backfill,
    create_index_online,
    drop_column_contract,
    drop_index_online,
    set_default_online,
)

revision = "0029"
down_revision = "0028"
phase = "expand"


def upgrade() -> None:
    add_column_online("users", sa.Column("figures_counted_at", sa.DateTime(timezone=True), nullable=True))
    set_default_online("users", "figures_counted_at", "now()")
    backfill(
        "users",
        "figures_counted_at = CASE WHEN recount_figures(id) IS NOT NULL THEN now() END",
        "figures_counted_at IS NULL",
    )
    create_index_online("ix_users_figures_counted_at", "users", ["figures_counted_at"])
    create_index_online(
        "ix_notes_user_id_deleted_at_id",
        "notes",
        ["user_id", "deleted_at", "id"],
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )


def downgrade() -> None:
    drop_index_online("ix_notes_user_id_deleted_at_id")
    drop_index_online("ix_users_figures_counted_at")
    drop_column_contract("users", "figures_counted_at")
