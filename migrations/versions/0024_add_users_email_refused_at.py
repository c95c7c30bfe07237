"""Add users.email_refused_at.

When a mail server refused for good what we sent to the address of the account. NULL is an address of which nothing of
the kind is known, such as each of before. The release before knows nothing of it and goes on writing NULL.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0024"
down_revision = "0023"
phase = "expand"


def upgrade() -> None:
    add_column_online("users", sa.Column("email_refused_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    drop_column_contract("users", "email_refused_at")
