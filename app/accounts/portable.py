"""Export an account: whose it is, what happened to it, and what signs in to it. No secret, and no import reads it."""

from sqlalchemy import bindparam, select

from app.accounts.models import ACCOUNT, AccessToken, AccountEvent, User, UserSession
from app.database.statements import own_rows

PROFILE = select(*ACCOUNT, User.email_confirmed_at, User.passkey_after_password.label("second_step"))
PROFILE = PROFILE.where(User.id == bindparam("owner"))
RECORDS = {
    "account_events": own_rows(AccountEvent, "kind", "created_at", "times", "user_agent", "ip"),
    "sessions": own_rows(UserSession, "created_at", "last_seen_at", "expires_at", "user_agent", "ip"),
    "access_tokens": own_rows(AccessToken, "name", "scopes", "created_at", "expires_at", "last_used_at"),
}
