"""A new account for one test. It has only what the test gives it."""

from dataclasses import dataclass
from itertools import count

from app.accounts import service as accounts
from tests.browser.site import Site
from tests.conftest import PASSWORD

_numbers = count(1)


@dataclass(frozen=True)
class Reader:
    id: int
    email: str
    nickname: str
    cookies: dict[str, str]


def new_reader(site: Site) -> Reader:
    """Make a new account, and the cookies of a browser that is signed in to it."""
    nickname = f"reader-{next(_numbers)}"
    email = f"{nickname}@example.com"
    with site.app.app_context():
        user_id = accounts.sign_up(email, nickname, PASSWORD).id
    return Reader(user_id, email, nickname, sign_in(site, email))


def sign_in(site: Site, email: str) -> dict[str, str]:
    """Sign in with one more browser, and return its cookies."""
    browser = site.service.browser()
    assert browser.post("/sign-in", email=email, password=PASSWORD).status == 302
    return browser.cookies
