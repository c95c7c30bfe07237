"""Drop the shorter title and text of a note that revisions 0051 and 0052 kept, for the release before, as it was then.

A trigger wrote every text a second time. The live release reads and writes the long columns alone.
"""

from online_migrations.operations import drop_shadow_contract

revision = "0064"
down_revision = "0063"
phase = "contract"


def upgrade() -> None:
    drop_shadow_contract("notes", "title")
    drop_shadow_contract("notes", "content")


def downgrade() -> None:
    """Leave them out: the downgrade of 0052 and of 0051 makes its own."""
