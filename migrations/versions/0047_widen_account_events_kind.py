"""Let account_events tell what happened to an access token.

The release before writes no such event, and its list shows one without a name.
"""

from alembic import op

from app.release.operations import add_check_online

revision = "0047"
down_revision = "0046"
phase = "expand"

KINDS = (
    "kind IN ('sign_in', 'sign_in_failed', 'sign_in_confirmed', 'password_refused', 'password_changed',"
    " 'password_reset', 'email_change_asked', 'email_changed', 'passkey_added', 'passkey_removed',"
    " 'second_step_on', 'second_step_off', 'recovery_codes_made', 'recovery_code_used',"
    " 'recovery_code_refused', 'device_ended', 'other_devices_ended', 'exported'{more})"
)
MORE = "'access_token_made', 'access_token_ended'"


def upgrade() -> None:
    add_check_online("account_events", "ck_account_events_kind", KINDS.format(more=f", {MORE}"), replace=True)


def downgrade() -> None:
    op.execute(f"DELETE FROM account_events WHERE kind IN ({MORE})")  # noqa: S608 - of constants
    op.drop_constraint(op.f("ck_account_events_kind"), "account_events", type_="check")
    op.create_check_constraint(op.f("ck_account_events_kind"), "account_events", KINDS.format(more=""))
