"""Expired sessions are purged at night, and no other one is."""

from flask import Flask
from sqlalchemy import text

from app.accounts import sessions, tasks
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


def test_more_than_one_batch_goes(app: Flask, alice: User) -> None:
    db.session.execute(
        text(
            "INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)"
            " SELECT md5(n::text), :user, now() - interval '1 second', '' FROM generate_series(1, :sessions) n"
        ),
        {"user": alice.id, "sessions": sessions.BATCH * 2 + 1},
    )
    tasks.purge_expired_sessions(0)
    assert row_counts()["user_sessions"] == 0


def test_they_are_found_by_an_index(app: Flask) -> None:
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(
        db.session.scalars(text("EXPLAIN SELECT id FROM user_sessions WHERE expires_at <= now() LIMIT 500"))
    )
    assert "ix_user_sessions_expires_at" in plan
