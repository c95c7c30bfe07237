"""Passkeys: a second way to sign in, and the second step after a password."""

from app.features import Feature
from app.passkeys import views

FEATURE = Feature(blueprints=[views.bp, views.sign_in_bp])
