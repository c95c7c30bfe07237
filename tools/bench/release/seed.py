"""Seed data: the rows that every trial begins with, inserted by SQL, and the cookies of signed-in users."""

import subprocess
from pathlib import Path

import psycopg2
from flask import session
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import generate_csrf

from app import create_app
from app.accounts.sessions import hash_token
from app.web.cookies import TOKEN
from config import ProductionConfig
from tools.bench.release import servers
from tools.bench.release.traffic import Visitor

USERS = 1_000
CLIENTS = 64  # users whose browsers make the traffic; each knows the notes that are its own
ANY_PORT = 5432  # of an application that asks no database

# The ids are the numbers of the series: the table is empty and the rows come one after another.
ROWS = """
INSERT INTO users (email, nickname, nickname_key, password_hash)
SELECT 'user' || n || '@example.com', 'user' || n, 'user' || n, 'none' FROM generate_series(1, {users}) AS n;

INSERT INTO notes (user_id, title, content, created_at)
SELECT (n - 1) % {users} + 1, 'Note ' || n, repeat(md5(n::text), 3) || n % 1000, now() - n * interval '1 second'
FROM generate_series(1, {notes}) AS n;

CREATE TABLE numbers (id bigint PRIMARY KEY, value integer, seen integer NOT NULL DEFAULT 0);
INSERT INTO numbers (id, value) SELECT n, n % 1000 FROM generate_series(1, {numbers}) AS n;
"""
SETTINGS = ["server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"]
SESSION = """
INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)
VALUES (%s, %s, now() + interval '1 day', 'bench')
"""


def prepare(data: Path, notes: int) -> dict[str, str]:
    """Make a database at the head of our own migrations, with `notes` notes and twice as many numbers, and stop it.

    Returns:
        The settings of the server that decide what a commit costs.
    """
    with servers.database(data) as env:
        release = servers.procfile_command("release")
        subprocess.run(release, cwd=servers.ROOT, env=env, check=True, capture_output=True)
        connection = psycopg2.connect(env["DATABASE_URL"])
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(ROWS.format(users=USERS, notes=notes, numbers=2 * notes))
            cursor.executemany(SESSION, [(hash_token(token(user_id)), user_id) for user_id in range(1, CLIENTS + 1)])
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (SETTINGS,))
            settings: dict[str, str] = dict(cursor.fetchall())
        connection.close()
    return settings


def token(user_id: int) -> str:
    return f"bench-{user_id}"


def visitors() -> list[Visitor]:
    """Browsers as they are after signing in: their cookie, and the token that their forms carry."""
    app = create_app(ProductionConfig({**servers.environment(ANY_PORT), "LOG_LEVEL": "ERROR"}))
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer  # noqa: S101 - there is a secret key
    people = []
    for user_id in range(1, CLIENTS + 1):
        with app.test_request_context():
            session[TOKEN] = token(user_id)
            csrf_token = generate_csrf()
            cookie = f"{app.config['SESSION_COOKIE_NAME']}={signer.dumps(dict(session))}"
        people.append(Visitor(user_id, cookie, csrf_token))
    return people
