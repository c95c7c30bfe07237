"""The nightly purge deletes only expired sessions. tests/test_purge.py tests its batches."""

from flask import Flask
from sqlalchemy import text

from app.accounts import tasks
from app.accounts.models import User
from app.extensions import db
from tests.conftest import browser_of
from tests.database import row_counts


def test_the_purge_deletes_expired_sessions_and_keeps_the_others(app: Flask, alice: User, bob: User) -> None:
    expired, living = browser_of(app, alice), browser_of(app, bob)
    db.session.execute(text("UPDATE user_sessions SET expires_at = now() WHERE user_id = :alice"), {"alice": alice.id})
    tasks.purge_expired_sessions(0)
    assert row_counts()["user_sessions"] == 1
    assert living.get("/notes").status_code == 200
    assert expired.get("/notes").status_code == 302
