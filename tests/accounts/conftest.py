"""A real SMTP server with the letters that it was handed, the passwords that were hashed, and concurrent attempts."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from threading import Barrier
from typing import TypeVar

import pytest
from flask import Flask
from sqlalchemy import func, insert

from app.accounts import hashing, sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from app.limits import rate_limits
from app.limits.rate_limits import Limit
from tests.conftest import PASSWORD
from tests.mail.smtp_server import Mailbox, smtp_server, text_of, use
from tests.queued import run_queued
from tests.visitor import Visitor

CAROL = "carol@example.com"  # nobody's address
CHOSEN = {"nickname": "carol", "password": PASSWORD}
AT_ONCE = 20
Argument = TypeVar("Argument")
LINK = re.compile(r"https://semicircle\.example(/\S+)")


class Post:
    """Bring what waits in the queue to the mailboxes."""

    def __init__(self, app: Flask, mailbox: Mailbox) -> None:
        self.app, self.mailbox = app, mailbox

    def deliver(self) -> list[tuple[str, EmailMessage]]:
        """Return address and letter of each that arrives now."""
        del self.mailbox.messages[:], self.mailbox.recipients[:]
        run_queued(self.app)
        return list(zip(self.mailbox.recipients, self.mailbox.messages, strict=True))

    def letters(self) -> dict[str, EmailMessage]:
        """Return {address: the letter that arrives there now}. Each address gets at most one."""
        delivered = self.deliver()
        assert len(dict(delivered)) == len(delivered)
        return dict(delivered)

    def link(self, address: str) -> str:
        return path_in(self.letters()[address])


def path_in(letter: EmailMessage) -> str:
    [path] = LINK.findall(text_of(letter))
    return str(path)


def link_for(post: Post, client: Visitor, email: str = CAROL) -> str:
    assert client.submit("/sign-up", email=email).status_code == 200
    return post.link(email)


def won(
    app: Flask, attempt: Callable[[Argument], object], arguments: Sequence[Argument], *losses: type[Exception]
) -> list[Argument]:
    """Attempt something with each argument at the same time, and return those that raised no loss."""
    together = Barrier(len(arguments))

    def try_it(argument: Argument) -> bool:
        together.wait()
        with app.app_context():
            try:
                attempt(argument)
            except losses:
                return False
            finally:
                db.session.remove()
        return True

    with ThreadPoolExecutor(len(arguments)) as pool:
        succeeded = list(pool.map(try_it, arguments))
    db.session.remove()  # which may hold rows of before
    return [argument for argument, success in zip(arguments, succeeded, strict=True) if success]


def use_up(app: Flask, limit: Limit, key: int | str, left: int = 0) -> None:
    with app.app_context():
        for _ in range(limit.capacity - left):
            rate_limits.take(limit, key)


def add_sessions(user: User, count: int) -> None:
    """Store as many sessions of a user at once. Their tokens are nobody's."""
    rows = [{"user_id": user.id, "token_hash": f"{user.id} {number}", "user_agent": "test"} for number in range(count)]
    db.session.execute(insert(UserSession).values(expires_at=func.now() + sessions.LIFETIME), rows)
    db.session.commit()


@pytest.fixture
def post(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    mailbox = Mailbox()
    with smtp_server(mailbox) as server:
        use(app, monkeypatch, server)
        yield Post(app, mailbox)


@pytest.fixture
def hashed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the passwords that were compared with a hash, through the real function."""
    seen: list[str] = []
    original = hashing.matches

    def matches(password: str, password_hash: str | None) -> bool:
        seen.append(password)
        return original(password, password_hash)

    monkeypatch.setattr(hashing, "matches", matches)
    return seen
