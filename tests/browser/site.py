"""A running service with seeded accounts, and its answer for each page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from app import create_app
from app.extensions import db
from app.web.access import public
from config import TestingConfig
from tests.browser.pages import PAGES, PASSWORD, Page
from tests.browser.seed import Ids, address, seed
from tests.databases import Environment, migrated_database
from tests.live.browser import Browser
from tests.live.conftest import Service, running_service
from tests.visitor import token_of

# So that the pages offer what needs mail. Nothing listens there, and no test waits for a letter.
MAIL = {"SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "hello@semicircle.dev", "SITE_URL": "https://semicircle.dev"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    html: str


@dataclass
class Site:
    """
    Args:
        app: the application in this process, on the service's database; it renders the pages of errors.
        ids: what the paths of pages are filled in with.
    """

    service: Service
    app: Flask
    ids: Ids
    _people: dict[str | None, Browser] = field(default_factory=dict)

    def url(self, page: Page) -> str:
        return self.service.url + self.path(page)

    def path(self, page: Page) -> str:
        return page.path.format_map(self.ids)

    def person(self, who: str | None) -> Browser:
        """Return a plain HTTP client with the cookies of an account; signed out it has a CSRF cookie too."""
        if who not in self._people:
            browser = self.service.browser()
            browser.headers["Connection"] = "close"  # the service closes the connection when a body is too large
            if who:
                assert browser.post("/sign-in", email=address(who), password=PASSWORD).status == 302
            browser.get("/sign-in")
            self._people[who] = browser
        return self._people[who]

    def fields(self, page: Page) -> dict[str, str]:
        """Return the form of a page, with a CSRF token of the account that posts it."""
        assert page.form is not None
        token = token_of(self.person(page.who).get("/sign-in").data.decode())
        return {"csrf_token": token, **page.form}

    def answer(self, page: Page, language: str) -> Answer:
        """Return the page as the service sends it, without a browser."""
        if page.error:
            shown = self.app.test_client().get(page.path, headers={"Accept-Language": language})
            return Answer(shown.status_code, dict(shown.headers), shown.text)
        person = self.person(page.who)
        person.headers["Accept-Language"] = language
        answer = (
            person.post(self.path(page), **self.fields(page)) if page.form is not None else person.get(self.path(page))
        )
        return Answer(answer.status, dict(answer.headers), answer.data.decode())


@contextmanager
def running_site(environment: Environment, folder: Path) -> Iterator[Site]:
    """Run the service as a platform runs it, but for TLS, which a browser would want a certificate for.

    Args:
        environment: of servers that run; the service gets a schema of its own.
        folder: for its logs.
    """
    with (
        migrated_database({**environment, **MAIL}) as own,
        running_service(own, folder, "config.TestingConfig", host="localhost") as service,  # no passkeys at a number
    ):
        app = application(own)
        with app.app_context():
            ids = seed()
        try:
            yield Site(service, app, ids)
        finally:
            with app.app_context():
                db.engine.dispose()


def application(environment: Environment) -> Flask:
    """Return an application with views that raise the errors of PAGES."""
    app = create_app(TestingConfig(environment))
    app.config["PROPAGATE_EXCEPTIONS"] = False  # as in production
    for page in PAGES:
        if page.error:
            app.add_url_rule(page.path, page.name, failing_view(page.error))
    return app


def failing_view(error: type[Exception]) -> Callable[[], str]:
    @public
    def fail() -> str:
        raise error("as a test wants it")

    return fail
