"""Let the title of a note have 120 characters.

The indexes of the search have an expression over the title, and PostgreSQL would build them again while nobody can read
the notes. So the longer column is filled and indexed beside the shorter one, and takes its name.
"""

from online_migrations.operations import change_type_online, drop_shadow_contract

revision = "0051"
down_revision = "0050"
phase = "expand"


def upgrade() -> None:
    change_type_online("notes", "title", "VARCHAR(120)")


def downgrade() -> None:
    change_type_online("notes", "title", "VARCHAR(50)")
    drop_shadow_contract("notes", "title")
