"""Let a todo have 500 characters. The release before shows a longer one, and asks to shorten it when it is edited."""

from online_migrations.operations import widen_text_online

revision = "0049"
down_revision = "0048"
phase = "expand"


def upgrade() -> None:
    widen_text_online("todos", "description", "VARCHAR(500)")


def downgrade() -> None:
    """Keep the longer type: what was written meanwhile may not fit the shorter one, which no old code needs."""
