"""Let the text of a note have 20,000 characters, as revision 0051 has it for the title.

The release before shows a longer one, and asks to shorten it when it is edited.
"""

from online_migrations.operations import change_type_online, drop_shadow_contract

revision = "0052"
down_revision = "0051"
phase = "expand"


def upgrade() -> None:
    change_type_online("notes", "content", "VARCHAR(20000)")


def downgrade() -> None:
    change_type_online("notes", "content", "VARCHAR(2000)")
    drop_shadow_contract("notes", "content")
