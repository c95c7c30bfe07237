"""Create results.

What a person wanted counted, and what came of it. The words stand in JSONB, which keeps no order: a page sorts what it
shows.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "results",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("final_url", sa.Text()),
        sa.Column("title", sa.String(200)),
        sa.Column("status", sa.String(10), server_default="queued", nullable=False),
        sa.Column("error", sa.String(40)),
        sa.Column("result_all", postgresql.JSONB()),
        sa.Column("result_no_stop_words", postgresql.JSONB()),
        sa.Column("phrases", postgresql.JSONB()),
        sa.Column("total_words", sa.Integer()),
        sa.Column("unique_words", sa.Integer()),
        sa.Column("content_words", sa.Integer()),
        sa.Column("characters", sa.Integer()),
        sa.Column("reading_seconds", sa.Integer()),
        sa.Column("truncated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
        sa.UniqueConstraint("public_id", name="uq_results_public_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_results_user_id_users", ondelete="CASCADE"),
        sa.CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_results_status")),
    )
    op.create_index("ix_results_user_id_id", "results", ["user_id", "id"])
    op.create_index(
        "ix_results_deleted_at", "results", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("results")
