"""Rows in every table of the project, at any revision."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import inspect, text

from app.extensions import db
from app.release.ledger import TOOL_TABLES
from tests.database import KEPT_BY_TRIGGERS

# Each filling adds five users, and rows of theirs. So it can be done again at a later revision.
NEWEST = "WITH newest AS (SELECT * FROM users ORDER BY id DESC LIMIT 5) "

# What each table is given rows with, from the revision on at which it has these columns.
ROWS = {
    "users": (
        "INSERT INTO users (email, nickname, nickname_key, password_hash)"
        " SELECT n || '@example.com', 'Nick ' || n, 'nick ' || n, 'hash'"
        " FROM (SELECT count(*) FROM users) present, generate_series(present.count + 1, present.count + 5) n"
    ),
    "notes": "INSERT INTO notes (user_id, title, content) SELECT id, 'title', 'text ' || id FROM newest",
    "note_shares": (
        "INSERT INTO note_shares (note_id, user_id, token) SELECT id, user_id, 'token-' || id FROM notes"
        " WHERE user_id IN (SELECT id FROM newest LIMIT 2)"  # others are shared by no link
    ),
    "todos": "INSERT INTO todos (user_id, description) SELECT id, 'todo ' || id FROM newest",
    "user_sessions": (
        "INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)"
        " SELECT md5(id::text), id, now() + interval '1 day', 'browser' FROM newest"
    ),
    "account_events": (
        "INSERT INTO account_events (user_id, kind, day, user_agent, ip)"
        " SELECT id, 'sign_in_failed', current_date, 'browser', '203.0.113.7' FROM newest"
    ),
    "notices": "INSERT INTO notices (user_id, kind, email) SELECT id, 'password_changed', email FROM newest",
    "sign_up_links": (
        "INSERT INTO sign_up_links (token_hash, email, expires_at)"
        " SELECT md5(id::text), id || '@example.org', now() + interval '1 day' FROM newest"
    ),
    "account_tokens": (
        "INSERT INTO account_tokens (token_hash, user_id, purpose, email, expires_at)"
        " SELECT md5(id::text), id, 'confirm_email', email, now() + interval '1 day' FROM newest"
    ),
}

# What the API keeps.
ROWS |= {
    "access_tokens": (
        "INSERT INTO access_tokens (token_hash, user_id, name, scopes)"
        " SELECT md5(id::text), id, 'script', '{read}' FROM newest"
    ),
    "idempotency_keys": (
        "INSERT INTO idempotency_keys (user_id, key, request)"
        " SELECT id, gen_random_uuid(), gen_random_uuid() FROM newest"
    ),
}

# What sign-in by passkey keeps.
ROWS |= {
    "passkeys": (
        "INSERT INTO passkeys"
        " (user_id, credential_id, public_key, user_handle, sign_count, name, transports, backed_up)"
        " SELECT id, md5(id::text)::bytea, 'key', 'handle', 0, 'phone', '{internal}', true FROM newest"
    ),
    "recovery_codes": "INSERT INTO recovery_codes (user_id, code_hash) SELECT id, md5(id::text) FROM newest",
    "passkey_challenges": (
        "INSERT INTO passkey_challenges (challenge, purpose, user_id, expires_at)"
        " SELECT 'challenge', 'sign_in', id, now() + interval '1 day' FROM newest"
    ),
    "pending_sign_ins": (
        "INSERT INTO pending_sign_ins (token_hash, user_id, password_mark, remember, expires_at)"
        " SELECT md5(id::text), id, md5(password_hash), false, now() + interval '1 day' FROM newest"
    ),
}

# What the queue is given: a job that waits, one that runs, what happened to them, and the worker that runs it.
ROWS |= {
    "rate_limits": "INSERT INTO rate_limits (id, full_at) SELECT md5(id::text), now() FROM newest",
    "account_writes": "INSERT INTO account_writes (id, transaction_id) SELECT id, id FROM newest",
    "results": "INSERT INTO results (user_id, url) SELECT id, 'https://example.com/' || id FROM newest",
    "procrastinate_workers": "INSERT INTO procrastinate_workers DEFAULT VALUES",
    "procrastinate_jobs": (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
        " SELECT 'default', 'jobs.requeue_stalled_jobs', status::procrastinate_job_status,"
        " CASE status WHEN 'doing' THEN id END"
        " FROM procrastinate_workers, unnest(ARRAY['todo', 'doing']) status"
    ),
    "job_records": (
        "INSERT INTO job_records (id, request_id, error, failed_at)"
        " SELECT id, md5(id::text), 'ValueError: no number', now() FROM procrastinate_jobs ON CONFLICT DO NOTHING"
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
    """Return the tables that code writes."""
    return sorted(set(inspect(db.engine).get_table_names()) - {"alembic_version", *TOOL_TABLES, *KEPT_BY_TRIGGERS})


def fill(*, besides: Collection[str] = ()) -> None:
    """Add rows to every table that there is, parents first.

    Args:
        besides: tables that get none.
    """
    present = tables()
    for table, statement in ROWS.items():
        if table in present and table not in besides:
            db.session.execute(text(NEWEST + statement))
    db.session.commit()


def rows() -> Rows:
    """Return the rows of each table, as dicts in the order of their ids."""
    found = {
        table: [dict(row) for row in db.session.execute(text(f"SELECT * FROM {table} ORDER BY id")).mappings()]
        for table in tables()
    }
    db.session.rollback()
    return found
