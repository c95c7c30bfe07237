"""Add users.passkey_after_password.

Whether sign-in asks for a passkey after the password. It is off until the reader turns it on. The release before knows
nothing of it and signs in with the password alone, so a rollback asks nobody for a second step.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0021"
down_revision = "0020"
phase = "expand"


def upgrade() -> None:
    column = sa.Column("passkey_after_password", sa.Boolean(), server_default=sa.false(), nullable=False)
    add_column_online("users", column)


def downgrade() -> None:
    drop_column_contract("users", "passkey_after_password")
