"""Create account_writes: the last transaction that wrote for an account, where pages are read from a follower.

Logged, unlike rate_limits: after a crash of the primary a follower may still be behind what was written before it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "account_writes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_writes"),
    )
    op.create_index("ix_account_writes_written_at", "account_writes", ["written_at"])


def downgrade() -> None:
    op.drop_table("account_writes")
