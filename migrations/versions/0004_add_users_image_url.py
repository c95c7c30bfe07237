"""Add users.image_url.

Photos live in object storage and the database keeps their URLs. The table has rows by now: a nullable column without a
default is added without touching them, the release before goes on inserting users that have none, and a unique
constraint takes any number of NULLs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("users", sa.Column("image_url", sa.String(255), nullable=True))
    op.create_unique_constraint("uq_users_image_url", "users", ["image_url"])


def downgrade() -> None:
    op.drop_constraint("uq_users_image_url", "users", type_="unique")
    op.drop_column("users", "image_url")
