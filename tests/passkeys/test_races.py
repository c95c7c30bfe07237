"""Of concurrent requests one wins: a recovery code, a second step, a challenge, a passkey that counts."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts import hashing, tokens
from app.accounts import service as accounts
from app.accounts.models import User
from app.accounts.tokens import SecondStepExpired
from app.extensions import db
from app.passkeys import service, two_step
from app.passkeys.models import RecoveryCode
from app.passkeys.service import ChallengeExpired, PasskeyCopied, TooManyPasskeys
from app.passkeys.two_step import WrongRecoveryCode
from tests.accounts.conftest import AT_ONCE, won
from tests.conftest import CHEAP_HASHER, CLIENT, PASSWORD
from tests.database import row_counts
from tests.passkeys.authenticator import Authenticator, Options
from tests.passkeys.conftest import PARTY, add_passkey

Answered = tuple[int, str]


@pytest.fixture
def committed(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    return accounts.sign_up("alice@example.com", "alice", PASSWORD)


def sign_in(answered: Answered) -> None:
    service.authenticate(PARTY, answered[0], service.SIGN_IN, answered[1])


def test_one_uses_a_recovery_code(migrated: Flask, committed: User) -> None:
    add_passkey(committed)
    code = two_step.turn_on(committed.id, CLIENT)[0]
    pending = [tokens.start_second_step(committed, remember=False) for _ in range(AT_ONCE)]

    def attempt(token: str) -> None:
        two_step.sign_in_with_code(token, code, CLIENT)

    assert len(won(migrated, attempt, pending, WrongRecoveryCode)) == 1


def test_one_takes_the_second_step(migrated: Flask, committed: User) -> None:
    add_passkey(committed)
    codes = two_step.turn_on(committed.id, CLIENT)
    token = tokens.start_second_step(committed, remember=False)

    def attempt(code: str) -> None:
        two_step.sign_in_with_code(token, code, CLIENT)

    assert len(won(migrated, attempt, codes * 2, SecondStepExpired, WrongRecoveryCode)) == 1
    assert db.session.scalar(select(func.count()).where(RecoveryCode.used_at.is_(None))) == two_step.CODES - 1


def test_one_answers_a_challenge(migrated: Flask, committed: User) -> None:
    device = add_passkey(committed)
    challenge_id, options = service.ask_to_sign_in(PARTY, service.SIGN_IN)
    answers = [(challenge_id, device.sign(options)) for _ in range(AT_ONCE)]
    assert len(won(migrated, sign_in, answers, ChallengeExpired)) == 1


def test_one_copy_of_a_counting_passkey_signs_in(migrated: Flask, committed: User) -> None:
    device = add_passkey(committed)
    device.count = 1
    asked = [service.ask_to_sign_in(PARTY, service.SIGN_IN) for _ in range(AT_ONCE)]
    answers = [(challenge_id, device.sign(options)) for challenge_id, options in asked]
    assert len(won(migrated, sign_in, answers, PasskeyCopied)) == 1


def test_no_passkey_is_the_twenty_first(migrated: Flask, committed: User) -> None:
    for _ in range(service.MOST - 1):
        add_passkey(committed)
    user_id = committed.id
    asked = [service.ask_to_register(PARTY, user_id, "alice@example.com", "alice") for _ in range(AT_ONCE)]

    def attempt(challenge: tuple[int, Options]) -> None:
        challenge_id, options = challenge
        service.add_passkey(PARTY, challenge_id, user_id, Authenticator().register(options), "phone", CLIENT)

    assert len(won(migrated, attempt, asked, TooManyPasskeys)) == 1
    assert row_counts()["passkeys"] == service.MOST
