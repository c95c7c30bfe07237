"""A letter, and a mailbox that it may come to."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_babel import force_locale

from app.mail.message import Letter
from tests.mail.smtp_server import Mailbox

TO = "reader@example.com"
LETTER = Letter("반달 & half", ("One <b>sentence</b>.", "둘째 문장."), "https://semicircle.example/x?a=1&b=2", "Open")


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    with app.app_context(), force_locale("en"):
        yield app


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()
