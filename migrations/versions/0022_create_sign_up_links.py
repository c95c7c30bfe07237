"""Create sign_up_links.

Where mail can be sent, an account is opened behind a link in a mail. A row holds the address and, once the mail is
written, the hash of the token. It names no user: there is none yet. The release before opens accounts without it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "sign_up_links",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("token_hash", sa.String(64)),
        sa.Column("email", sa.String(120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_up_links"),
        sa.UniqueConstraint("token_hash", name="uq_sign_up_links_token_hash"),
    )
    op.create_index("ix_sign_up_links_expires_at", "sign_up_links", ["expires_at"])


def downgrade() -> None:
    op.drop_table("sign_up_links")
