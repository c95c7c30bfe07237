"""Create job_records: the request that deferred a job, and why the job failed last.

The queue's own tables have no column for either, and its arguments are read by the release before, which would refuse
one that it does not know. It writes no rows here, and needs none: a job without one runs as before. No foreign key to
the job: the queue's tables are its own, and rows that have lost their job are purged every night.
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "job_records",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.String(200), nullable=True),
        sa.Column("error", sa.String(500), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_job_records"),
    )


def downgrade() -> None:
    op.drop_table("job_records")
