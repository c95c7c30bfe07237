"""Create account_events.

What happened to an account, such as a sign-in or a new password, for its owner to read. Wrong passwords are counted: a
day has one row of them, which the partial unique index holds.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "account_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("day", sa.Date()),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("user_agent", sa.String(255), nullable=False),
        sa.Column("ip", postgresql.INET()),
        sa.PrimaryKeyConstraint("id", name="pk_account_events"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_account_events_user_id_users", ondelete="CASCADE"),
        sa.CheckConstraint(
            "kind IN ('sign_in', 'sign_in_failed', 'sign_in_confirmed', 'password_refused', 'password_changed',"
            " 'password_reset', 'email_change_asked', 'email_changed', 'passkey_added', 'passkey_removed',"
            " 'second_step_on', 'second_step_off', 'recovery_codes_made', 'recovery_code_used',"
            " 'recovery_code_refused', 'device_ended', 'other_devices_ended', 'exported')",
            name=op.f("ck_account_events_kind"),
        ),
    )
    op.create_index("ix_account_events_user_id_id", "account_events", ["user_id", "id"])
    op.create_index("ix_account_events_created_at", "account_events", ["created_at"])
    op.create_index(
        "ix_account_events_user_id_kind_day",
        "account_events",
        ["user_id", "kind", "day"],
        unique=True,
        postgresql_where=sa.text("day IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("account_events")
