"""Passkeys: a second way to sign in, and the second step after a password."""

from app.database.statements import own_rows
from app.features import Feature
from app.passkeys import views
from app.passkeys.models import Passkey

FEATURE = Feature(
    blueprints=[views.bp, views.sign_in_bp],
    records={"passkeys": own_rows(Passkey, "name", "created_at", "last_used_at", "backed_up")},
)
