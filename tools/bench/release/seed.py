"""Run the servers of a trial: a copy of a prepared database, and gunicorn as the Procfile starts it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import session
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import generate_csrf

from app import create_app
from app.accounts.sessions import hash_token
from app.web.headers import TOKEN
from config import ProductionConfig
from tools.bench.release.traffic import Visitor
from tools.bench.service import postgresql, production, query, release, running

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
SESSIONS = """
INSERT INTO user_sessions (token_hash, user_id, expires_at, user_agent)
SELECT token_hash, user_id, now() + interval '1 day', 'bench' FROM unnest(%s, %s) AS row (token_hash, user_id)
"""


@dataclass(frozen=True)
class Servers:
    web_port: int
    environment: Mapping[str, str]  # the whole one of the service and of `flask db upgrade`

    def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        return query(self.environment["DATABASE_URL"], statement, parameters)


@contextmanager
def serving(prepared: Path, folder: Path) -> Iterator[Servers]:
    """Run the service on a copy of `prepared`, the data folder of a stopped server. All trials begin with equal files.

    The copy is flushed to disk first, so that no trial pays for the writes of the one before it.
    """
    data = folder / "trial"
    shutil.rmtree(data, ignore_errors=True)
    subprocess.run(["cp", "-a", str(prepared), str(data)], check=True)
    os.sync()
    with postgresql(data) as (environment, _), running(environment) as web:
        yield Servers(web.port, environment)


def prepare(data: Path, notes: int) -> None:
    """Make a database at the head of our own migrations, with `notes` notes and twice as many numbers, and stop it."""
    with postgresql(data) as (environment, _):
        release(environment)
        url, clients = environment["DATABASE_URL"], list(range(1, CLIENTS + 1))
        query(url, ROWS.format(users=USERS, notes=notes, numbers=2 * notes))
        query(url, SESSIONS, ([hash_token(token(user_id)) for user_id in clients], clients))
        query(url, "VACUUM (ANALYZE)")


def token(user_id: int) -> str:
    return f"bench-{user_id}"


def visitors() -> list[Visitor]:
    """Return browsers as they are after signing in: with their cookie, and the token that their forms carry."""
    app = create_app(ProductionConfig({**production(ANY_PORT), "LOG_LEVEL": "ERROR"}))
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
