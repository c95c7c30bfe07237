"""Bounces: mail to an account whose mailbox does not exist or takes no mail, as a server says at once or by a delivery
status notification (app/mail/replies.py).

The account notes it. My page tells its owner, and notices are sent no more: mail to a dead mailbox harms the repute of
the sender, and with it everybody's mail. What the owner asks for is still sent. A link that is opened clears the note,
and so does a new address.

A notification comes from anywhere, and anybody can write one. So every letter to the address of an account carries a
tag, an HMAC of account and address, which the notification sends back with the headers of the letter. Only who has read
the mail of that address knows the tag. All that it does is to note this one account, and notices go to that mailbox
anyway. A tag in a header of the letter needs no mailbox of its own, as a signed envelope sender (VERP) would.
"""

import hashlib
import hmac
import logging

from flask import current_app
from sqlalchemy import bindparam, func, select, update

from app.accounts.models import User
from app.extensions import db
from app.mail import message
from app.mail.message import Letter

log = logging.getLogger(__name__)

_EMAIL = select(User.email).where(User.id == bindparam("user_id"))
_NOTE = update(User).where(
    User.id == bindparam("owner"), User.email == bindparam("refused"), User.email_refused_at.is_(None)
)


class UnknownTag(Exception):
    """We did not make this tag, or its account has another address by now, or is deleted."""


def send_to_owner(user_id: int, email: str, letter: Letter) -> None:
    """Send a letter to the address of an account, and note when there is no such mailbox. Raises: MailUnavailable."""
    if not message.send(email, letter, tag=tag_of(user_id, email)):
        note_refusal(user_id, email)


def note_refusal(user_id: int, email: str) -> None:
    """Note that the account's mail does not arrive, unless it has another address by now."""
    db.session.execute(_NOTE.values(email_refused_at=func.now()), {"owner": user_id, "refused": email})
    db.session.commit()
    log.warning("mail does not arrive: account=%d", user_id)


def note_bounce(tag: str) -> None:
    """Note that a letter came back. Raises: UnknownTag."""
    user_id = _user_id(tag)
    email = db.session.scalar(_EMAIL, {"user_id": user_id})
    db.session.commit()
    if email is None or not any(hmac.compare_digest(tag, known) for known in _tags(user_id, email)):
        raise UnknownTag
    note_refusal(user_id, email)


def tag_of(user_id: int, email: str) -> str:
    """What a letter to this address of this account carries."""
    return _tags(user_id, email)[0]


def _tags(user_id: int, email: str) -> list[str]:
    """By the current SECRET_KEY, then by earlier ones: a notification may take five days."""
    keys = [current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]]
    text = f"bounce {user_id} {email}".encode()
    return [f"{user_id}.{hmac.new(str(key).encode(), text, hashlib.sha256).hexdigest()[:32]}" for key in keys]


def _user_id(tag: str) -> int:
    number = tag.partition(".")[0]
    if not (tag.isascii() and number.isdigit() and len(number) < 19):
        raise UnknownTag
    return int(number)
