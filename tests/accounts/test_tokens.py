"""Single-use tokens: of many that use one at once, exactly one wins; and the expired ones are purged."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import changes, tokens
from app.accounts import service as accounts
from app.accounts.models import AccountToken, User
from app.accounts.tokens import TokenExpired
from app.extensions import db
from tests.conftest import CLIENT, PASSWORD

AT_ONCE = 20


def drawn(user: User, purpose: str = tokens.RESET_PASSWORD) -> str:
    token, _claim = tokens.draw(tokens.reserve(user.id, purpose, user.email))
    return token


def test_of_twenty_at_once_exactly_one_uses_the_token(migrated: Flask) -> None:
    alice = accounts.sign_up("alice@example.com", "alice", PASSWORD)
    token = drawn(alice)
    together = Barrier(AT_ONCE)

    def try_it(number: int) -> int | None:
        together.wait()
        with migrated.app_context():
            try:
                changes.reset_password(token, f"sentence number {number}", "en", CLIENT)
            except TokenExpired:
                return None
            finally:
                db.session.remove()
        return number

    with ThreadPoolExecutor(AT_ONCE) as pool:
        winners = [number for number in pool.map(try_it, range(AT_ONCE)) if number is not None]
    [winner] = winners
    db.session.remove()  # which still holds the row of before
    assert accounts.authenticate("alice@example.com", f"sentence number {winner}").id == alice.id


@pytest.mark.parametrize("purpose", [tokens.CONFIRM_EMAIL, tokens.CHANGE_EMAIL])
def test_a_token_serves_its_purpose_alone(app: Flask, alice: User, purpose: str) -> None:
    token = drawn(alice, purpose)
    with pytest.raises(TokenExpired):
        tokens.read(token, tokens.RESET_PASSWORD)
    with pytest.raises(TokenExpired):
        tokens.use(token, tokens.RESET_PASSWORD)
    assert tokens.read(token, purpose).email == alice.email


def test_a_token_that_is_drawn_again_replaces_the_one_before(app: Flask, alice: User) -> None:
    """The job runs again when the worker died between the letter and its end."""
    token_id = tokens.reserve(alice.id, tokens.RESET_PASSWORD, alice.email)
    first, second = tokens.draw(token_id)[0], tokens.draw(token_id)[0]
    with pytest.raises(TokenExpired):
        tokens.read(first, tokens.RESET_PASSWORD)
    assert tokens.read(second, tokens.RESET_PASSWORD).user_id == alice.id


def test_a_link_to_an_address_that_was_changed_meanwhile_sets_no_password(app: Flask, alice: User) -> None:
    token, user_id = drawn(alice), alice.id
    db.session.execute(update(User).values(email="new@example.com"))
    db.session.commit()
    with app.app_context(), pytest.raises(TokenExpired):
        changes.reset_password(token, "quite another sentence", "en", CLIENT)
    assert accounts.authenticate("new@example.com", PASSWORD).id == user_id


def test_expired_tokens_are_purged_a_day_later_and_others_stay(app: Flask, alice: User) -> None:
    drawn(alice)
    db.session.execute(update(AccountToken).values(expires_at=func.now() - tokens.RESERVED_FOR))
    token = drawn(alice)
    assert tokens.purge_expired_tokens() == 1
    assert db.session.scalar(select(func.count()).select_from(AccountToken)) == 1
    assert tokens.read(token, tokens.RESET_PASSWORD).user_id == alice.id
