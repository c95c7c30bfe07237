"""A letter, a mailbox that it may come to, and the server that brings it there."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import force_locale

from app.mail.message import Letter
from environment.mail import SmtpServer
from tests.mail.smtp_server import Mailbox, smtp_server, use

TO = "reader@example.com"
LETTER = Letter("반달 & half", ("One <b>sentence</b>.", "둘째 문장."), "https://semicircle.example/x?a=1&b=2", "Open")


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    with app.app_context(), force_locale("en"):
        yield app


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def served(context: Flask, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox) -> Iterator[SmtpServer]:
    """Run a server that takes every letter, as that of SMTP_URL."""
    with smtp_server(mailbox) as server:
        use(context, monkeypatch, server)
        yield server


@pytest.fixture
def no_server(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a server in SMTP_URL that is not there."""
    use(context, monkeypatch, SmtpServer("127.0.0.1", 1, "none", "", ""))
