"""A site of a test's own, and what can happen to its database: away, restarted, read-only, full."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
from flask import Flask
from sqlalchemy import Connection, Engine, event, make_url
from werkzeug.test import TestResponse

from app import create_app
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.todos import service as todos
from config import TestingConfig
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, watching
from tests.databases import Environment
from tests.samples import samples
from tests.visitor import Visitor

# One field of every form. A wrong password, so that no request ends the session or the account.
FIELDS = {
    "email": "alice@example.com", "nickname": "alice2", "password": "not my password", "title": "t", "content": "c",
    "current_password": "not my password", "new_password": "quite another sentence", "description": "d", "version": "1",
    "new_email": "new@example.com", "password_for_email": "not my password", "shared": "1",
    "url": "https://example.com/", "language": "ko", "time_zone": "Asia/Seoul",
}  # fmt: skip


@dataclass
class Site:
    app: Flask
    environment: Environment
    alice: User

    @property
    def database(self) -> str:
        return str(make_url(self.environment["DATABASE_URL"]).database)

    @cached_property
    def _administrator(self) -> psycopg2.extensions.connection:
        """Connect to another database, so that it works whatever happens to this one."""
        url = make_url(self.environment["DATABASE_URL"]).set(drivername="postgresql", database="postgres")
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        return connection

    def on_the_server(self, *statements: str) -> None:
        with self._administrator.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def end_sessions(self) -> None:
        """Kill every pooled connection, as a restart does. An autovacuum worker is not ours to end."""
        ours = f"datname = '{self.database}' AND usename = current_user"
        self.on_the_server(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {ours}")

    def settings_of_database(self, *settings: str) -> None:
        self.on_the_server(*(f"ALTER DATABASE {self.database} {setting}" for setting in settings))
        self.end_sessions()

    def browser(self) -> tuple[Visitor, str]:
        """Return Alice's browser, which was here hours ago, and a CSRF token of its."""
        with self.app.app_context():
            browser = browser_of(self.app, self.alice)
            commit(db.text("UPDATE user_sessions SET last_seen_at = now() - interval '2 hours'"))
        return browser, browser.csrf_token()

    def unharmed(self, browser: Visitor, token: str) -> tuple[Visitor, str]:
        """Return the browser, whose next page is shown as ever, or a new one if it has signed out."""
        answer = browser.get("/notes")
        assert answer.status_code in (200, 302), "the request after it"
        return (browser, token) if answer.status_code == 200 else self.browser()

    def stranger(self) -> tuple[Visitor, str]:
        browser = Visitor(self.app)
        return browser, browser.csrf_token()

    @contextmanager
    def dying_at_statement(self, number: int) -> Iterator[None]:
        """Let the database end the session right before it is sent its statement of this number."""
        sent = 0

        def die(cursor: Any, *_rest: object) -> None:
            nonlocal sent
            sent += 1
            if sent == number:
                self._end(cursor.connection)

        with watching(die, self._engine):
            yield

    @contextmanager
    def dying_behind_the_answer(self) -> Iterator[None]:
        """Let the database end the session right before it is rolled back, as each is when its request ends."""

        def die(connection: Connection) -> None:
            self._end(connection.connection.dbapi_connection)

        event.listen(self._engine, "rollback", die)
        try:
            yield
        finally:
            event.remove(self._engine, "rollback", die)

    def _end(self, connection: Any) -> None:
        self.on_the_server(f"SELECT pg_terminate_backend({connection.info.backend_pid}, 5000)")

    @property
    def _engine(self) -> Engine:
        with self.app.app_context():
            return db.engine


def new_site(environment: Environment) -> Site:
    """Return a site with a row of everything."""
    app = create_app(TestingConfig({**environment, "WEB_THREADS": "2", "WORKER_THREADS": "1"}))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    app.config["MAIL_FOLDER"] = Path("unused")  # mail is offered; no job runs here, so none is written
    app.test_client_class = Visitor
    with app.app_context():
        alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
        notes.create_note(alice.id, "title", "content")
        todos.create_todo(alice.id, "description")
        for each in samples():
            each.own(alice)
    return Site(app, environment, alice)


def visit(browser: Visitor, token: str, method: str, path: str, accept: str = "text/html") -> TestResponse:
    """Visit as a Korean reader, with all fields that any form could want."""
    headers = {"Accept-Language": "ko", "Accept": accept}
    data = {"csrf_token": token, **FIELDS} if method == "POST" else None
    return browser.open(path, method=method, data=data, headers=headers, buffered=True)
