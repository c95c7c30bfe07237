"""The nightly purge deletes expired sessions and no other one. Its batches: tests/test_purge.py."""

from flask import Flask
from sqlalchemy import text

from app.accounts import tasks
from app.accounts.models import User
from app.extensions import db
from tests.conftest import browser_of
from tests.database import row_counts


def test_expired_sessions_go_and_the_others_stay(app: Flask, alice: User, bob: User) -> None:
    expired, living = browser_of(app, alice), browser_of(app, bob)
    db.session.execute(text("UPDATE user_sessions SET expires_at = now() WHERE user_id = :alice"), {"alice": alice.id})
    tasks.purge_expired_sessions(0)
    assert row_counts()["user_sessions"] == 1
    assert living.get("/notes").status_code == 200
    assert expired.get("/notes").status_code == 302
