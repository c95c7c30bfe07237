"""Single-use tokens: the links in mails, and what is kept between the right password and the second step.

Each is 256 random bits, and its row holds the hash. A request reserves the row of a link and defers a job, in one
transaction; the job draws the token when it writes the mail. So no secret waits in the queue, and none is in a log.
The row of a sign-up that was used stays until the nightly purge, or until the account leaves the address: who comes
back is told that there is an account. Two-step sign-in (multi-factor authentication): nobody is signed in between the
password and the second step, and a new password voids what is kept. docs/architecture.md says what each is safe from.
"""

import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update

from app.accounts.events import NOBODY
from app.accounts.models import AccountToken, PendingSignIn, SignUpLink, User
from app.accounts.service import AccountGone, EmailTaken, add_user, lock_user, owner_required
from app.accounts.sessions import hash_token
from app.extensions import db
from app.mail import message

LIFETIME = timedelta(minutes=30)  # from the moment at which the mail is written
RESERVED_FOR = timedelta(days=1)  # until the mail is written; its job gives up after a day, too
SECOND_STEP_LIFETIME = timedelta(minutes=5)

# Purposes. A link that confirms the old address must not move the account back to it, so it has its own purpose.
RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose
CONFIRM_EMAIL = "confirm_email"
CHANGE_EMAIL = "change_email"


class TokenExpired(Exception):
    """There is no such token: it was used, it has expired, or nobody ever drew it."""


class SecondStepExpired(Exception):
    """The password has to be typed again: it took too long, the step was taken, or the password was changed."""


def reserve(user_id: int, purpose: str, email: str) -> int:
    """Return the id of a token that is yet to be drawn. The caller commits. Raises: AccountGone."""
    row = {"user_id": user_id, "purpose": purpose, "email": email, "expires_at": func.now() + RESERVED_FOR}
    with owner_required():
        return db.session.execute(insert(AccountToken).values(row).returning(AccountToken.id)).scalar_one()


def draw(row_id: int, model: type[AccountToken | SignUpLink] = AccountToken) -> tuple[str, str]:
    """Return a new token for a reserved row, and its address. Raises: TokenExpired, also where the link was used."""
    token = secrets.token_urlsafe(32)
    is_unused = (model.id == row_id) & (model.expires_at > model.created_at)
    drawn = update(model).where(is_unused).values(token_hash=hash_token(token), expires_at=func.now() + LIFETIME)
    email = db.session.scalar(drawn.returning(model.email))
    db.session.commit()
    if email is None:
        raise TokenExpired
    return token, email


def read(token: str, purpose: str) -> tuple[int, str]:
    """Return whose account a token is for, and whose mail its holder reads, without using it. Raises: TokenExpired."""
    claim = select(AccountToken.user_id, AccountToken.email).where(*_is_valid(token, purpose))
    row = db.session.execute(claim).one_or_none()
    if row is None:
        raise TokenExpired
    return row.user_id, row.email


def _is_valid(token: str, purpose: str) -> tuple[ColumnElement[bool], ...]:
    is_this = (AccountToken.token_hash == hash_token(token), AccountToken.purpose == purpose)
    return (*is_this, AccountToken.expires_at > func.now())


def use(token: str, purpose: str) -> tuple[User, str]:
    """Use up a token, and every other one of its user. Return the user, and the address that it is for.

    The user's row is locked first, as by every change of an account, so that no two deadlock. The caller commits; if it
    rolls back, the token can be used again. Raises: TokenExpired.
    """
    try:
        user = lock_user(read(token, purpose)[0])
    except AccountGone:
        raise TokenExpired from None
    used = delete(AccountToken).where(*_is_valid(token, purpose)).returning(AccountToken.email)
    email = db.session.scalar(used)
    if email is None:
        db.session.rollback()
        raise TokenExpired
    void_all(user.id)
    return user, email


def void_all(user_id: int) -> None:
    """Make every link that was sent to the user worthless. The caller commits."""
    db.session.execute(delete(AccountToken).where(AccountToken.user_id == user_id))


def forget(email: str) -> None:
    """Delete every link to an address that an account leaves, whoever asked for it. The caller commits."""
    for model in (SignUpLink, AccountToken):
        db.session.execute(delete(model).where(model.email == email))


def ask_to_sign_up(email: str, language: str) -> None:
    """Let the worker send a link to the address, or a letter that says that it has an account, in this language."""
    message.later("accounts.send_sign_up_link", link_id=reserve_sign_up(email), language=language)
    db.session.commit()


def reserve_sign_up(email: str) -> int:
    """Return the id of a link that is yet to be drawn. The caller commits."""
    row = {"email": email, "expires_at": func.now() + RESERVED_FOR}
    return db.session.execute(insert(SignUpLink).values(row).returning(SignUpLink.id)).scalar_one()


def read_sign_up(token: str) -> str:
    """Return the address that the token was sent to. Raises: TokenExpired; EmailTaken: it has an account by now."""
    is_valid, is_taken = SignUpLink.expires_at > func.now(), exists().where(User.email == SignUpLink.email)
    found = select(SignUpLink.email, is_valid.label("is_valid"), is_taken.label("is_taken"))
    row = db.session.execute(found.where(SignUpLink.token_hash == hash_token(token))).one_or_none()
    if row is not None and row.is_taken:
        raise EmailTaken
    if row is None or not row.is_valid:
        raise TokenExpired
    return str(row.email)


def open_account(token: str, nickname: str, password: str) -> User:
    """Create the account of a link's address, or store nothing. Raises: NicknameTaken, EmailTaken, TokenExpired."""
    email = read_sign_up(token)
    user = add_user(email, nickname, password, confirmed=True)  # the unique address lets one through at a time
    # Used up is expired since the link was asked for: before any transaction began that knows the token.
    used = update(SignUpLink).where(SignUpLink.email == email, SignUpLink.expires_at > func.now())
    used = used.values(expires_at=SignUpLink.created_at)
    if hash_token(token) not in db.session.scalars(used.returning(SignUpLink.token_hash)).all():
        db.session.rollback()  # it was used since it was read, and the account is gone already
        raise TokenExpired
    db.session.commit()
    return user


def start_second_step(user: User, *, remember: bool) -> str:
    """Note that the password of `user` was right. Return the token for the browser's cookie. Raises: AccountGone."""
    token = secrets.token_urlsafe(32)
    mark, expires_at = hash_token(user.password_hash), func.now() + SECOND_STEP_LIFETIME
    row = {"token_hash": hash_token(token), "user_id": user.id, "password_mark": mark, "remember": remember}
    with owner_required():
        db.session.execute(insert(PendingSignIn).values(row | {"expires_at": expires_at}))
    db.session.commit()
    return token


def read_second_step(token: str) -> tuple[User, bool]:
    """Return who is to take the second step, and if the browser stays signed in. Raises: SecondStepExpired."""
    found = select(User, PendingSignIn.remember, PendingSignIn.password_mark)
    found = found.join(User, User.id == PendingSignIn.user_id).where(*_is_awaited(token))
    row = db.session.execute(found).one_or_none()
    if row is None or row.password_mark != hash_token(row.User.password_hash):
        raise SecondStepExpired
    return row.User, row.remember


def _is_awaited(token: str) -> tuple[ColumnElement[bool], ...]:
    return PendingSignIn.token_hash == hash_token(token), PendingSignIn.expires_at > func.now()


def take_second_step(token: str) -> tuple[User, bool]:
    """Use the row up, with the user's row locked first as in `use`. The caller commits. Raises: SecondStepExpired."""
    is_awaited = _is_awaited(token)
    try:
        user = lock_user(db.session.scalar(select(PendingSignIn.user_id).where(*is_awaited)) or NOBODY)
    except AccountGone:
        raise SecondStepExpired from None
    taken = delete(PendingSignIn).where(*is_awaited).returning(PendingSignIn.remember, PendingSignIn.password_mark)
    row = db.session.execute(taken).one_or_none()
    if row is None or row.password_mark != hash_token(user.password_hash):
        db.session.rollback()
        raise SecondStepExpired
    return user, row.remember
