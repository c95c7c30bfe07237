"""Notices: letters that tell the owner of an account what happened to it, such as a changed password.

A notice goes to the address that the account had then. The worker may write it an hour later, and by that time a
stranger may have moved the account to an address of theirs. So a row holds the address until the letter is sent; the
job names the row.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, func, insert, select

from app.accounts.models import Notice, User
from app.extensions import db
from app.mail import message
from app.soft_delete import purge

KEPT = timedelta(days=30)  # as long as the failed job that an operator can put back into the queue

_STORE = (
    insert(Notice)
    .values(user_id=bindparam("user_id"), kind=bindparam("kind"), email=bindparam("email"))
    .returning(Notice.id)
)
# Mail to the address does not arrive, see bounces.py. One that the account had before is tried.
_IS_REFUSED = and_(User.email == Notice.email, User.email_refused_at.is_not(None))
_READ = (
    select(Notice.user_id, Notice.kind, Notice.email, User.language, _IS_REFUSED.label("is_refused"))
    .join(User, User.id == Notice.user_id)
    .where(Notice.id == bindparam("notice_id"))
)
_DELETE = delete(Notice).where(Notice.id == bindparam("notice_id"))


def tell(user: User, kind: str, language: str) -> None:
    """Let the worker send a notice to the address that the account has now. The caller commits.

    Args:
        user: its row is locked, so that the address is the one of this transaction.
        kind: a name of letters.NOTICES.
        language: of the page; the letter's unless the account has chosen one.
    """
    if message.is_enabled():
        stored = {"user_id": user.id, "kind": kind, "email": user.email}
        notice_id = db.session.execute(_STORE, stored).scalar_one()
        message.later("accounts.deliver_notice", notice_id=notice_id, language=language)


def read(notice_id: int) -> Row[*tuple[Any, ...]] | None:
    """The notice, the language that the account has chosen, and whether mail to the address does not arrive.

    Returns: None when it was sent, or the account was deleted.
    """
    notice = db.session.execute(_READ, {"notice_id": notice_id}).one_or_none()
    db.session.commit()
    return notice


def forget(notice_id: int) -> None:
    """The letter was sent, or refused for good."""
    db.session.execute(_DELETE, {"notice_id": notice_id})
    db.session.commit()


def purge_old_notices() -> int:
    """Delete the notices that could not be sent for KEPT. Returns how many there were."""
    return purge(Notice, Notice.created_at <= func.now() - KEPT)
