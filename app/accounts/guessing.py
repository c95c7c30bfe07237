"""Login throttling: how often a password may be guessed, and how often a right one may be used.

The limits of guesses count failures. Their token is taken before the password is hashed, and given back when it was
right. So concurrent guesses cannot exceed the limit, and a refused guess costs no hash.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from app.accounts import events
from app.accounts.browser_session import known_device, this_client
from app.accounts.models import EventKind, User
from app.accounts.service import WrongPassword
from app.limits import rate_limits
from app.web.proxy import client_network


@contextmanager
def counted_sign_in(email: str) -> Iterator[None]:
    """Count the check of a password at sign-in. An error that passes through is a failure, and counts.

    A known browser has a limit of its own: its owner gets in while strangers guess, also from the same address. The
    limits of others are those of the address and of the account. They are the same for an email address that nobody
    has, so a refusal tells nobody who has an account.

    Inside, `limit_sign_ins` follows the right password. Where that refuses, it counts as a failure: so also the hashes
    of a right password have a limit.

    Raises:
        RateLimited: before the password was looked at.
    """
    if device := known_device(email):
        with counted(rate_limits.SIGN_IN_BY_DEVICE, device):
            yield
    else:
        # The address first: if that is refused, nothing is taken from the account's limit, which others need.
        with (
            counted(rate_limits.SIGN_IN_BY_ADDRESS, client_network()),
            counted(rate_limits.SIGN_IN_BY_ACCOUNT, email),
        ):
            yield


def limit_sign_ins(user: User) -> None:
    """Take a token after the right password, before a session or a second step begins.

    Only who knows the password takes one, so no stranger keeps the owner out. Raises: RateLimited.
    """
    rate_limits.take(rate_limits.SIGN_INS, user.id)


@contextmanager
def counted_password(user_id: int) -> Iterator[None]:
    """Count a change that asks a signed-in person for the password again. Its owner can read of a wrong one.

    Wrong ones and right ones have a limit each.

    Raises:
        RateLimited: before the password was looked at.
    """
    try:
        with rate_limits.spent(rate_limits.RIGHT_PASSWORDS, user_id), counted(rate_limits.PASSWORD_BY_PERSON, user_id):
            yield
    except WrongPassword:
        events.refused(user_id, EventKind.PASSWORD_REFUSED, this_client())
        raise


@contextmanager
def counted(limit: rate_limits.Limit, key: str | int) -> Iterator[None]:
    """Take a token, and give it back when the block raises nothing. Raises: RateLimited."""
    rate_limits.take(limit, key)
    yield
    rate_limits.give_back(limit, key)
