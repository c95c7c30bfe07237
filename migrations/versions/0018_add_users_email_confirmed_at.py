"""Add users.email_confirmed_at.

When the owner of the address opened a link that was sent there. NULL is an address of which nobody has shown yet that
it is theirs, such as each of before. The release before knows nothing of it and goes on writing NULL.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0018"
down_revision = "0017"
phase = "expand"


def upgrade() -> None:
    add_column_online("users", sa.Column("email_confirmed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    drop_column_contract("users", "email_confirmed_at")
