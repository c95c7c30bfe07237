"""Add users.image_url.

Photos live in object storage and the database keeps their URLs. The table has rows by now: a nullable column without a
default is added without touching them, the release before goes on inserting users that have none, and a unique
constraint takes any number of NULLs.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, add_unique_online, drop_column_contract

revision = "0004"
down_revision = "0003"
phase = "expand"


def upgrade() -> None:
    add_column_online("users", sa.Column("image_url", sa.String(255), nullable=True))
    add_unique_online("users", "uq_users_image_url", ["image_url"])


def downgrade() -> None:
    drop_column_contract("users", "image_url")
