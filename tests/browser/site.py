"""A running service with seeded accounts, its answer for each page, and new accounts for single tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from flask import Flask
from flask.ctx import AppContext
from sqlalchemy import func, update
from werkzeug.test import TestResponse

from app import create_app
from app.accounts import service as accounts
from app.accounts import sessions
from app.accounts.events import Client
from app.accounts.models import UserSession
from app.notes import listing as notes
from app.notes.service import create_note, update_note
from app.todos import listing as todos
from app.todos.service import create_todo
from app.web.access import public
from config import TestingConfig
from tests.browser.pages import PASSWORD, UNFORESEEN, Page
from tests.browser.seed import Ids, address, seed
from tests.database import commit
from tests.databases import Environment, migrated_database
from tests.live.conftest import Browser, Service, running_web
from tests.visitor import token_of

# So that the pages offer what needs mail. Nothing listens there, and no test waits for a letter.
MAIL = {"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "hello@semicircle.dev", "SITE_URL": "https://semicircle.dev"}


@dataclass
class Site:
    """
    Args:
        app: the application in this process, on the service's database.
        ids: what the paths of pages are filled in with.
    """

    service: Service
    app: Flask
    ids: Ids
    _people: dict[str | None, Browser] = field(default_factory=dict)

    def path(self, page: Page) -> str:
        return page.path.format_map(self.ids)

    def sign_in(self, email: str) -> Browser:
        """Return a plain HTTP client that is signed in."""
        browser = self.service.browser()
        assert browser.post("/sign-in", email=email, password=PASSWORD).status == 302
        return browser

    def person(self, who: str | None) -> Browser:
        """Return a plain HTTP client with the cookies of an account; signed out it has a CSRF cookie too."""
        if who not in self._people:
            browser = self.sign_in(address(who)) if who else self.service.browser()
            browser.get("/sign-in")
            self._people[who] = browser
        return self._people[who]

    def fields(self, page: Page) -> dict[str, str]:
        """Return the form of a page, with a CSRF token of the account that posts it."""
        assert page.form is not None
        token = token_of(self.person(page.who).get("/sign-in").data.decode())
        return {"csrf_token": token, **page.form}

    def answer(self, page: Page, language: str) -> TestResponse:
        """Return the page as this process renders it."""
        client = self.app.test_client()
        for name, value in self.person(page.who).cookies.items():
            client.set_cookie(name, value)
        headers = {"Accept-Language": language}
        if page.form is None:
            return client.get(self.path(page), headers=headers)
        return client.post(self.path(page), headers=headers, data=self.fields(page))


@contextmanager
def running_site(environment: Environment, folder: Path) -> Iterator[Site]:
    """Run the web as a platform runs it, but for TLS, which a browser would want a certificate for. No page of it waits
    for a worker.

    Args:
        environment: of servers that run; the service gets a schema of its own.
        folder: for its logs.
    """
    with (
        migrated_database({**environment, **MAIL}) as own,
        running_web(own, folder, "config.TestingConfig", host="localhost") as service,  # no passkeys at a number
    ):
        app = application(own)
        with app.app_context():
            ids = seed()
        yield Site(service, app, ids)


def application(environment: Environment) -> Flask:
    """Return an application with a view that fails."""
    app = create_app(TestingConfig(environment))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    app.add_url_rule(UNFORESEEN, "unforeseen", fail)
    return app


@public
def fail() -> str:
    raise RuntimeError("as a test wants it")


_numbers = count(1)


@dataclass(frozen=True)
class Reader:
    """Hold a new account for one test, with only what the test gives it.

    Args:
        cookies: of a browser that is signed in to it.
    """

    site: Site
    id: int
    email: str
    nickname: str
    cookies: dict[str, str]

    def sign_in(self) -> Browser:
        """Return one more signed-in browser, a plain HTTP client."""
        return self.site.sign_in(self.email)

    def app(self) -> AppContext:
        """Return a context of the application, on the database of the service."""
        return self.site.app.app_context()

    def write(self, text: str, title: str = "") -> int:
        """Make a note, and return its id."""
        with self.app():
            return create_note(self.id, title, text)

    def rewrite(self, note_id: int, title: str, text: str, version: int = 1) -> None:
        """Change a note, as another device does."""
        with self.app():
            update_note(self.id, note_id, title, text, version)

    def add(self, *descriptions: str, due_on: date | None = None) -> None:
        """Make todos, the last one on top."""
        with self.app():
            for description in descriptions:
                create_todo(self.id, description, due_on)

    def notes(self) -> list[str]:
        """Return the stored texts, from the newest."""
        with self.app():
            return [note.text for note in notes.list_notes(self.id).notes]

    def todos(self) -> list[str]:
        """Return what is stored, from the top, with a ✓ before what is done."""
        with self.app():
            stored = todos.list_todos(self.id).todos
            return [f"✓ {todo.description}" if todo.completed else todo.description for todo in stored]

    def let_ten_minutes_go_by(self) -> None:
        """Let the account's sign-ins be recent no more."""
        with self.app():
            long_ago = func.now() - sessions.RECENT - timedelta(seconds=1)
            commit(update(UserSession).where(UserSession.user_id == self.id).values(created_at=long_ago))


def new_reader(site: Site) -> Reader:
    """Make an account, and a session of it without the form of the sign-in."""
    nickname = f"reader-{next(_numbers)}"
    email = f"{nickname}@example.com"
    client, name = site.app.test_client(), site.app.config["SESSION_COOKIE_NAME"]
    with site.app.app_context():
        user = accounts.sign_up(email, nickname, PASSWORD)
        token, _id = sessions.start_session(user, Client("127.0.0.1", "test"), remember=False)
        user_id = user.id
    with client.session_transaction(base_url=site.service.url) as session:
        session["token"] = token
    cookie = client.get_cookie(name, "localhost")
    assert cookie
    return Reader(site, user_id, email, nickname, {name: cookie.value})
