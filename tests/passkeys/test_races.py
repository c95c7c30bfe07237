"""Of twenty at once one wins: a recovery code, a second step, a challenge, a passkey whose signatures are counted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts import hashing, second_step
from app.accounts import service as accounts
from app.accounts.models import User
from app.accounts.second_step import SecondStepExpired
from app.extensions import db
from app.passkeys import service, two_step
from app.passkeys.models import RecoveryCode
from app.passkeys.service import ChallengeExpired
from app.passkeys.two_step import WrongRecoveryCode
from tests.conftest import CHEAP_HASHER, CLIENT, PASSWORD
from tests.database import row_counts
from tests.passkeys.authenticator import Authenticator
from tests.passkeys.conftest import PARTY, add_passkey

AT_ONCE = 20


@pytest.fixture
def committed(migrated: Flask, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(hashing, "_hasher", CHEAP_HASHER)
    return accounts.sign_up("alice@example.com", "alice", PASSWORD)


def at_once(app: Flask, attempt: Callable[[object], object], arguments: list[object]) -> int:
    """How many of these attempts succeed that are made at the same time."""
    together = Barrier(AT_ONCE)

    def try_it(argument: object) -> bool:
        together.wait()
        with app.app_context():
            try:
                attempt(argument)
            except (ChallengeExpired, SecondStepExpired, WrongRecoveryCode):
                return False
            finally:
                db.session.remove()
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(try_it, arguments))


def test_of_twenty_at_once_one_uses_a_recovery_code(migrated: Flask, committed: User) -> None:
    add_passkey(committed)
    code = two_step.turn_on(committed.id, CLIENT)[0]
    pending = [second_step.start(committed, remember=False) for _ in range(AT_ONCE)]
    assert at_once(migrated, lambda token: two_step.sign_in_with_code(str(token), code, CLIENT), [*pending]) == 1


def test_of_twenty_at_once_one_takes_the_second_step(migrated: Flask, committed: User) -> None:
    add_passkey(committed)
    codes = two_step.turn_on(committed.id, CLIENT)
    token = second_step.start(committed, remember=False)
    assert at_once(migrated, lambda code: two_step.sign_in_with_code(token, str(code), CLIENT), [*codes, *codes]) == 1
    db.session.rollback()
    assert db.session.scalar(select(func.count()).where(RecoveryCode.used_at.is_(None))) == two_step.CODES - 1


def test_of_twenty_at_once_one_answers_a_challenge(migrated: Flask, committed: User) -> None:
    device = add_passkey(committed)
    challenge_id, options = service.ask_to_sign_in(PARTY, service.SIGN_IN)
    answers = [device.sign(options) for _ in range(AT_ONCE)]
    won = at_once(
        migrated,
        lambda answer: service.authenticate(PARTY, challenge_id, service.SIGN_IN, str(answer)),
        [*answers],
    )
    assert won == 1


def test_of_twenty_at_once_one_copy_of_a_counting_passkey_signs_in(migrated: Flask, committed: User) -> None:
    device = add_passkey(committed)
    device.count = 1
    asked = [service.ask_to_sign_in(PARTY, service.SIGN_IN) for _ in range(AT_ONCE)]
    answers = [(challenge_id, device.sign(options)) for challenge_id, options in asked]

    def attempt(pair: object) -> None:
        assert isinstance(pair, tuple)
        try:
            service.authenticate(PARTY, pair[0], service.SIGN_IN, pair[1])
        except service.PasskeyCopied:
            raise ChallengeExpired from None

    assert at_once(migrated, attempt, [*answers]) == 1


def test_of_twenty_at_once_no_passkey_is_the_twenty_first(migrated: Flask, committed: User) -> None:
    for _ in range(service.MOST - 1):
        add_passkey(committed)
    asked = [service.ask_to_register(PARTY, committed.id, "alice@example.com", "alice") for _ in range(AT_ONCE)]

    def attempt(pair: object) -> None:
        assert isinstance(pair, tuple)
        try:
            service.add_passkey(PARTY, pair[0], committed.id, Authenticator().register(pair[1]), "phone", CLIENT)
        except service.TooManyPasskeys:
            raise ChallengeExpired from None

    assert at_once(migrated, attempt, [*asked]) == 1
    db.session.rollback()
    assert row_counts()["passkeys"] == service.MOST
