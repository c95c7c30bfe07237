"""Add users.language and users.time_zone.

What a reader has chosen for good, on every device. NULL is no choice: the browser's cookie decides then, or what the
browser asks for.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, drop_column_contract

revision = "0012"
down_revision = "0011"
phase = "expand"


def upgrade() -> None:
    add_column_online("users", sa.Column("language", sa.String(2), nullable=True))
    add_column_online("users", sa.Column("time_zone", sa.String(64), nullable=True))


def downgrade() -> None:
    drop_column_contract("users", "time_zone")
    drop_column_contract("users", "language")
