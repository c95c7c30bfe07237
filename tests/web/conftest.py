"""Readers who have thousands of everything, and what each statement of a request reads."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts.models import User
from app.database.statements import UNPREPARED
from app.extensions import db
from tests.database import casts, generic_plan, nodes, plan, rows_read, watching
from tests.samples import samples

MANY = 5_000
NOTES = """
    INSERT INTO notes (user_id, title, content, tags, pinned, created_at, deleted_at, archived_at)
    SELECT users.id, 'note ' || n, 'text', ARRAY['tag', 'tag' || n % 700, 'x' || n % 3], n % 10 = 0,
      now() - n * interval '1 hour', CASE WHEN n > :many THEN now() END, CASE WHEN n < 0 THEN now() END
    FROM users, generate_series(-1000, :many + 1000) n WHERE n <> 0 ORDER BY users.id, n"""
TODOS = """
    INSERT INTO todos (user_id, description, position, completed, due_on)
    SELECT users.id, 'todo', n, n % 5 = 0, current_date + n::int % 50
    FROM users, generate_series(1, :many) n ORDER BY users.id, n"""
SHARES = """
    INSERT INTO note_shares (note_id, user_id, token, created_at)
    SELECT id, user_id, lpad(id::text, 22, '0'), created_at FROM notes WHERE id % 2 = 0"""
VERSIONS = """
    INSERT INTO note_versions (note_id, version, title, content, saved_at)
    SELECT id, n, title, content, created_at FROM notes, generate_series(1, 20) n
    WHERE id % 20 = (SELECT max(id) FROM notes WHERE deleted_at IS NULL) % 20"""
# So many that reading everybody's rows by their ids is never the cheaper plan.
OTHERS = """
    INSERT INTO users (email, nickname, nickname_key, password_hash)
    SELECT n || '@example.net', 'other' || n, 'other' || n, '' FROM generate_series(1, 20) n"""
OF_FEATURES = [each.table for each in samples()]
TABLES = ", ".join(
    ("notes", "note_shares", "note_versions", "todos", "figures", "tag_counts", "note_tags", *OF_FEATURES)
)


@pytest.fixture
def ids(alice: User, bob: User) -> dict[str, Any]:
    """Return one of each of alice's, who has many; so has bob. The tables are theirs alone.

    So they are for the planner, too, which counts the pages of what other tests rolled back. Each one's rows lie
    together, in the order of the ids: of a table without order it expects somebody's rows to be anywhere.
    """
    db.session.execute(text(f"TRUNCATE {', '.join(('notes', 'todos', *OF_FEATURES))} CASCADE"))
    for many in (NOTES, SHARES, VERSIONS, TODOS, OTHERS, *(each.many for each in samples())):
        db.session.execute(text(many), {"many": MANY})
    queries = {
        "note": "SELECT max(id) FROM notes WHERE user_id = :id AND deleted_at IS NULL",
        "archived": "SELECT max(id) FROM notes WHERE user_id = :id AND archived_at IS NOT NULL",
        "deleted": "SELECT max(id) FROM notes WHERE user_id = :id AND deleted_at IS NOT NULL",
        "shared": "SELECT max(token) FROM note_shares JOIN notes ON notes.id = note_id WHERE deleted_at IS NULL",
        "todo": "SELECT max(id) FROM todos WHERE user_id = :id",
        "today": "SELECT (max(created_at) AT TIME ZONE 'UTC')::date FROM notes",
    }
    found = {name: db.session.scalar(text(query), {"id": alice.id}) for name, query in queries.items()}
    for each in samples():
        found |= each.own(alice)
    db.session.execute(text(f"ANALYZE {TABLES}"))
    return found


@pytest.fixture
def read(app: Flask, ids: dict[str, Any]) -> Iterator[list[tuple[float, str]]]:
    """Run each SELECT once more, and yield how many rows each has read, with its plan."""
    found: list[tuple[float, str]] = []

    ours: Any = db.session.connection().connection.driver_connection

    def explain(sender: Any, statement: str, parameters: Any) -> None:
        if sender.connection is ours and statement.lstrip().startswith(("SELECT", "WITH")):
            with psycopg.Cursor(ours) as cursor:  # which is not watched
                plans = [plan(cursor, statement, parameters)]
                if UNPREPARED not in statement:
                    plans.append(generic_plan(cursor, statement, parameters))
                    assert not any(casts(node) for node in nodes(plans[-1]["Plan"])), statement
            found.extend((sum(map(rows_read, nodes(each["Plan"]))), f"{each}: {statement}") for each in plans)

    with watching(explain):
        yield found
