"""Sign-up, authentication, the profile, and the lock on a user's row that every change of an account takes.

Each public function is one use case and one transaction. What needs a session, a letter or an event is in changes.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import hashing, nicknames
from app.accounts.models import User
from app.database.errors import violated_constraint
from app.extensions import db


class EmailTaken(Exception):
    """Another account has this email address."""


class NicknameTaken(Exception):
    """Another account has this nickname, or one that looks the same."""


class WrongCredentials(Exception):
    """The email address is unknown (`user_id` None) or the password is wrong. The log alone is told which."""

    def __init__(self, user_id: int | None = None) -> None:
        self.user_id = user_id


class WrongPassword(Exception):
    """The current password is another one. Nothing was changed."""


class AccountGone(Exception):
    """The account was deleted while this request was at work."""


TAKEN = {"uq_users_email": EmailTaken, "uq_users_nickname": NicknameTaken, "uq_users_nickname_key": NicknameTaken}
# Built once: composing a statement costs more than running it.
_LOCK_OWNER = select(User.id).where(User.id == bindparam("owner")).with_for_update(key_share=True)


def sign_up(email: str, nickname: str, password: str) -> User:
    """Create an account. Raises: EmailTaken, NicknameTaken, as the unique constraint says. Nothing was stored."""
    user = add_user(email, nickname, password)
    db.session.commit()
    return user


def add_user(email: str, nickname: str, password: str, *, confirmed: bool = False) -> User:
    """Do as `sign_up`, in the caller's transaction, which an error rolls back.

    Whoever adds the same address at once waits until that ends. `confirmed`: a link has shown whose address it is.
    """
    user = User(
        email=email,
        nickname=nickname,
        nickname_key=nicknames.key(nickname),
        password_hash=hashing.hash_password(password),
        email_confirmed_at=func.now() if confirmed else None,
    )
    db.session.add(user)
    with owner_required(**TAKEN):
        db.session.flush()
    return user


@contextmanager
def owner_required(**taken: type[Exception]) -> Iterator[None]:
    """Roll back and raise AccountGone when the block inserts a row of a user who is gone, or an error of `taken`.

    `taken` has the error that each unique constraint means. Any other violated constraint is a mistake of ours: it has
    to surface, and must not sign anybody out.
    """
    try:
        yield
    except IntegrityError as error:
        db.session.rollback()
        constraint = violated_constraint(error) or ""
        if constraint in taken:
            raise taken[constraint] from error
        if constraint.startswith("fk_") and constraint.endswith("_user_id_users"):  # see NAMING_CONVENTION
            raise AccountGone from error
        raise


def authenticate(email: str, password: str) -> User:
    """Return the user with this email address and password. Renew a hash that was made with older parameters.

    Raises: WrongCredentials, after the same work whether the address is unknown or the password wrong.
    """
    user = db.session.scalar(select(User).where(User.email == email))
    if not hashing.matches(password, user.password_hash if user else None) or user is None:
        raise WrongCredentials(user.id if user else None)
    if hashing.needs_rehash(user.password_hash):
        user.password_hash = hashing.hash_password(password)
        db.session.commit()
    return user


def check_password(user_id: int, password: str) -> User:
    """Return the user, whose password this is. It locks and changes nothing. Raises: WrongPassword, AccountGone."""
    user = db.session.scalar(select(User).where(User.id == user_id))
    if user is None:
        raise AccountGone
    if not hashing.matches(password, user.password_hash):
        raise WrongPassword
    return user


def lock_user(user_id: int) -> User:
    """Lock and return the user's row (SELECT … FOR UPDATE). Raises: AccountGone. The transaction is rolled back."""
    user = db.session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        db.session.rollback()
        raise AccountGone
    return user


def lock_user_with_password(user_id: int, password: str) -> User:
    """Do as `lock_user`, for a change that asks for the password again. Raises: WrongPassword, AccountGone."""
    user = lock_user(user_id)
    if not hashing.matches(password, user.password_hash):
        db.session.rollback()
        raise WrongPassword
    return user


def lock_owner(user_id: int) -> None:
    """Lock the user's row for what changes several rows of theirs, so that no two deadlock. Raises: AccountGone.

    FOR NO KEY UPDATE: new rows do not wait for it, since their foreign key takes only FOR KEY SHARE.
    """
    if db.session.scalar(_LOCK_OWNER, {"owner": user_id}) is None:
        db.session.rollback()
        raise AccountGone


def change_nickname(user_id: int, nickname: str) -> None:
    """Raises: NicknameTaken, AccountGone. Nothing was changed."""
    user = lock_user(user_id)
    user.nickname, user.nickname_key = nickname, nicknames.key(nickname)
    with owner_required(**TAKEN):
        db.session.commit()


def change_settings(user_id: int, **chosen: str | None) -> None:
    """Set the `language` of pages and the `time_zone` of times on every device. None: as each browser asks."""
    db.session.execute(update(User).where(User.id == user_id).values(chosen))
    db.session.commit()
