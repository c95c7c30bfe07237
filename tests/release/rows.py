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
