"""Accounts with passkeys, made through the services as a page makes them."""

import pytest
from flask import Flask

from app.accounts.models import User
from app.passkeys import service, two_step
from app.passkeys.service import RelyingParty
from tests.conftest import CLIENT
from tests.passkeys.authenticator import ORIGIN, Authenticator, Options
from tests.visitor import Visitor

PARTY = RelyingParty("localhost", ORIGIN)


def ask(browser: Visitor, path: str) -> Options:
    """Return what passkeys.js is told to ask the browser."""
    answer = browser.submit(f"{path}/options")
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def add_passkey(user: User, name: str = "Chrome on macOS") -> Authenticator:
    authenticator = Authenticator()
    challenge_id, options = service.ask_to_register(PARTY, user.id, user.email, user.nickname)
    service.add_passkey(PARTY, challenge_id, user.id, authenticator.register(options), name, CLIENT)
    return authenticator


@pytest.fixture
def passkey(app: Flask, alice: User) -> Authenticator:
    return add_passkey(alice)


@pytest.fixture
def codes(alice: User, passkey: Authenticator) -> list[str]:
    """Return the recovery codes of Alice, whom sign-in asks for a second step."""
    return two_step.turn_on(alice.id, CLIENT)
