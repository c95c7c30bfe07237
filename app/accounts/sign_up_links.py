"""Sign-up by a link in a mail: nobody learns which addresses have an account (user enumeration, ASVS 5.0 V6.3.8).

A request stores a row and defers a job, without looking whether the address has an account. So every address gets the
same answer after the same work. The job looks: it sends a link, or a letter that says that there is an account.

Nobody can open an account with somebody else's address, or plant a password in it (account pre-hijacking): nickname and
password are chosen behind the link. A link is single use: the transaction that opens the account uses it up, and every
other link of the address. The row stays until the nightly purge: who comes back is told that there is an account.
"""

import secrets

from sqlalchemy import bindparam, exists, func, insert, select, update

from app.accounts import service
from app.accounts.models import SignUpLink, User
from app.accounts.service import EmailTaken
from app.accounts.sessions import hash_token
from app.accounts.tokens import LIFETIME, RESERVED_FOR, TokenExpired
from app.extensions import db
from app.mail import message

_RESERVE = (
    insert(SignUpLink).values(email=bindparam("email"), expires_at=func.now() + RESERVED_FOR).returning(SignUpLink.id)
)
_DRAW = (
    update(SignUpLink)
    .where(SignUpLink.id == bindparam("link_id"), SignUpLink.expires_at > SignUpLink.created_at)
    .values(token_hash=bindparam("token_hash"), expires_at=func.now() + LIFETIME)
    .returning(SignUpLink.email)
)
_READ = select(
    SignUpLink.email,
    (SignUpLink.expires_at > func.now()).label("is_valid"),
    exists().where(User.email == SignUpLink.email).label("is_taken"),
).where(SignUpLink.token_hash == bindparam("token_hash"))
# Used up is expired since the link was asked for: before any transaction began that knows the token.
_USE_ALL = (
    update(SignUpLink)
    .where(SignUpLink.email == bindparam("address"), SignUpLink.expires_at > func.now())
    .values(expires_at=SignUpLink.created_at)
    .returning(SignUpLink.token_hash)
)


def ask_for_link(email: str, language: str) -> None:
    """Let the worker send a link to the address, or a letter that says that it has an account, in this language."""
    message.later("accounts.send_sign_up_link", link_id=reserve(email), language=language)
    db.session.commit()


def reserve(email: str) -> int:
    """Return the id of a link that is yet to be drawn. The caller commits."""
    return db.session.execute(_RESERVE, {"email": email}).scalar_one()


def draw(link_id: int) -> tuple[str, str]:
    """Return a new token for a reserved row, 256 random bits, and the address. One that was drawn before is void.

    Raises:
        TokenExpired: the row is gone, or its link was used.
    """
    token = secrets.token_urlsafe(32)
    email = db.session.scalar(_DRAW, {"link_id": link_id, "token_hash": hash_token(token)})
    db.session.commit()
    if email is None:
        raise TokenExpired
    return token, email


def read(token: str) -> str:
    """Return the address whose mail the holder of the token reads.

    Raises:
        TokenExpired: nobody ever drew it, it was used, or it is older than half an hour.
        EmailTaken: the address has an account by now. Most often it is the one that this link opened.
    """
    row = db.session.execute(_READ, {"token_hash": hash_token(token)}).one_or_none()
    if row is not None and row.is_taken:
        raise EmailTaken
    if row is None or not row.is_valid:
        raise TokenExpired
    email: str = row.email
    return email


def open_account(token: str, nickname: str, password: str) -> User:
    """Create the account of the address, and use up every link to it. It is confirmed: its owner has read the mail.

    The unique address lets one through at a time, so no two wait for each other's links.

    Raises:
        NicknameTaken, EmailTaken, TokenExpired: nothing was stored. Of concurrent requests exactly one gets it.
    """
    email = read(token)
    user = service.add_user(email, nickname, password, confirmed=True)
    if hash_token(token) not in db.session.scalars(_USE_ALL, {"address": email}).all():
        db.session.rollback()  # it was used since it was read, and the account is gone already
        raise TokenExpired
    db.session.commit()
    return user
