"""Accounts: sign-up, sign-in, sessions, mailed links and access tokens."""

from app.accounts import recent_sign_in, tasks, views
from app.accounts.commands import mail_commands
from app.accounts.portable import RECORDS
from app.features import Feature

FEATURE = Feature(
    blueprints=[views.bp, views.link_bp, recent_sign_in.bp, views.token_bp],
    tasks=tasks,
    commands=[mail_commands],
    records=RECORDS,
)
