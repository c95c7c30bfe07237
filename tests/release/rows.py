"""Rows in every table of the project, at any revision."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import inspect, text

from app.extensions import db

# What each table is given rows with, from the revision on at which it has these columns.
ROWS = {
    "users": (
        "INSERT INTO users (email, nickname, nickname_key, password_hash)"
        " SELECT n || '@example.com', 'Nick ' || n, 'nick ' || n, 'hash' FROM generate_series(1, 500) n"
    ),
    "notes": "INSERT INTO notes (user_id, title, content) SELECT id, 'title', 'text ' || id FROM users",
    "todos": "INSERT INTO todos (user_id, description) SELECT id, 'todo ' || id FROM users",
    "user_sessions": (
        "INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)"
        " SELECT md5(id::text), id, now() + interval '1 day', 'browser' FROM users"
    ),
    "account_events": (
        "INSERT INTO account_events (user_id, kind, day, user_agent, ip)"
        " SELECT id, 'sign_in_failed', current_date, 'browser', '203.0.113.7' FROM users"
    ),
    "notices": ("INSERT INTO notices (user_id, kind, email) SELECT id, 'password_changed', email FROM users"),
    "sign_up_links": (
        "INSERT INTO sign_up_links (token_hash, email, expires_at)"
        " SELECT md5(n::text), n || '@example.org', now() + interval '1 day' FROM generate_series(1, 500) n"
    ),
    "account_tokens": (
        "INSERT INTO account_tokens (token_hash, user_id, purpose, email, expires_at)"
        " SELECT md5(id::text), id, 'confirm_email', email, now() + interval '1 day' FROM users"
    ),
}

# What sign-in by passkey keeps.
ROWS |= {
    "passkeys": (
        "INSERT INTO passkeys"
        " (user_id, credential_id, public_key, user_handle, sign_count, name, transports, backed_up)"
        " SELECT id, md5(id::text)::bytea, 'key', 'handle', 0, 'phone', '{internal}', true FROM users"
    ),
    "recovery_codes": "INSERT INTO recovery_codes (user_id, code_hash) SELECT id, md5(id::text) FROM users",
    "passkey_challenges": (
        "INSERT INTO passkey_challenges (challenge, purpose, user_id, expires_at)"
        " SELECT 'challenge', 'sign_in', id, now() + interval '1 day' FROM users"
    ),
    "pending_sign_ins": (
        "INSERT INTO pending_sign_ins (token_hash, user_id, password_mark, remember, expires_at)"
        " SELECT md5(id::text), id, md5(password_hash), false, now() + interval '1 day' FROM users"
    ),
}

# What the queue is given: a job that waits, one that runs, what happened to them, and the worker that runs it.
ROWS |= {
    "rate_limits": "INSERT INTO rate_limits (id, full_at) SELECT md5(id::text), now() FROM users",
    "results": "INSERT INTO results (user_id, url) SELECT id, 'https://example.com/' || id FROM users",
    "procrastinate_workers": "INSERT INTO procrastinate_workers DEFAULT VALUES",
    "procrastinate_jobs": (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
        " SELECT 'default', 'jobs.requeue_stalled_jobs', status::procrastinate_job_status,"
        " CASE status WHEN 'doing' THEN id END"
        " FROM procrastinate_workers, unnest(ARRAY['todo', 'doing']) status"
    ),
    "procrastinate_periodic_defers": (
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id)"
        " SELECT task_name, id, id FROM procrastinate_jobs WHERE status = 'todo' ON CONFLICT DO NOTHING"
    ),
    "procrastinate_events": (
        "INSERT INTO procrastinate_events (job_id, type) SELECT id, 'started' FROM procrastinate_jobs"
    ),
}

Rows = dict[str, list[dict[str, Any]]]


def tables() -> list[str]:
    return sorted(set(inspect(db.engine).get_table_names()) - {"alembic_version", "schema_ledger"})


def fill(*, besides: Collection[str] = ()) -> None:
    """Rows in every table that there is, parents first.

    Args:
        besides: tables that have theirs.
    """
    present = tables()
    for table, statement in ROWS.items():
        if table in present and table not in besides:
            db.session.execute(text(statement))
    db.session.commit()


def rows() -> Rows:
    """table: its rows, as dicts in the order of their ids."""
    found = {
        table: [dict(row) for row in db.session.execute(text(f"SELECT * FROM {table} ORDER BY id")).mappings()]
        for table in tables()
    }
    db.session.rollback()
    return found
