"""Bounces: mail to an account whose mailbox does not exist or takes no mail, as a server says at once or by a delivery
status notification (DSN, RFC 3464) in a multipart/report (RFC 6522).

The account notes it. My page tells its owner, and notices are sent no more: mail to a dead mailbox harms the repute of
the sender. What the owner asks for is still sent. A link that is opened clears the note, and so does a new address.

Anybody can write a notification. It is read as leniently as mail servers write, since all that counts is a tag: an HMAC
of account and address, which every letter to an account carries in a header, and which comes back. Only who has read
the mail of that address knows it. A signed envelope sender (VERP) would need a mailbox of its own.
"""

import hashlib
import hmac
import logging
import re
from email import message_from_bytes
from email.message import Message
from typing import NamedTuple

from flask import current_app
from sqlalchemy import bindparam, func, select, update

from app.accounts.models import User
from app.extensions import db
from app.mail import message
from app.mail.message import TAG, Letter
from app.mail.replies import is_about_mailbox

log = logging.getLogger(__name__)

MAX_SIZE = 1_000_000  # bytes of a notification
PERMANENT = re.compile(r"\s*5\.\d{1,3}\.\d{1,3}\b")

_EMAIL = select(User.email).where(User.id == bindparam("user_id"))
_NOTE = update(User).where(
    User.id == bindparam("owner"), User.email == bindparam("refused"), User.email_refused_at.is_(None)
)


class UnknownTag(Exception):
    """We did not make this tag, or its account has another address by now, or is deleted."""


class NotAReport(Exception):
    """This is not a delivery status notification, or one that cannot be read."""


class Report(NamedTuple):
    is_about_mailbox: bool  # not of a server that does not trust us, or that could not reach another one
    tag: str | None  # of the letter that came back; None when the report does not hold its headers


def send_to_owner(user_id: int, email: str, letter: Letter) -> None:
    """Send a letter to the address of an account, and note when there is no such mailbox. Raises: MailUnavailable."""
    if not message.send(email, letter, tag=tags(user_id, email)[0]):
        note_refusal(user_id, email)


def note_refusal(user_id: int, email: str) -> None:
    """Note that the account's mail does not arrive, unless it has another address by now."""
    db.session.execute(_NOTE.values(email_refused_at=func.now()), {"owner": user_id, "refused": email})
    db.session.commit()
    log.warning("mail does not arrive: account=%d", user_id)


def note_bounce(tag: str) -> None:
    """Note that a letter came back. Raises: UnknownTag."""
    number = tag.partition(".")[0]
    if not (tag.isascii() and number.isdigit() and len(number) < 19):  # a bigint
        raise UnknownTag
    user_id = int(number)
    email = db.session.scalar(_EMAIL, {"user_id": user_id})
    db.session.commit()
    if email is None or not any(hmac.compare_digest(tag, known) for known in tags(user_id, email)):
        raise UnknownTag
    note_refusal(user_id, email)


def tags(user_id: int, email: str) -> list[str]:
    """Return what a letter to this address of this account carries: by the current SECRET_KEY, then by earlier ones,
    since a notification may take five days.
    """
    keys = [current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]]
    text = f"bounce {user_id} {email}".encode()
    return [f"{user_id}.{hmac.new(str(key).encode(), text, hashlib.sha256).hexdigest()[:32]}" for key in keys]


def read_report(raw: bytes) -> Report:
    """Read a message of at most MAX_SIZE. Raises: NotAReport."""
    try:
        parts = list(message_from_bytes(raw).walk())
        status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
        if not status:
            raise NotAReport
        # Each holds the fields of the message, then those of each recipient.
        blocks = [block for part in status for block in part.get_payload() or () if isinstance(block, Message)]
        return Report(any(map(_is_refused_by_mailbox, blocks)), _tag(parts))
    except (RecursionError, ValueError, LookupError) as error:  # parts in parts in parts, or what is not text
        raise NotAReport from error


def _is_refused_by_mailbox(block: Message) -> bool:
    """Judge by the Status, and by the reply that the server got from another one (Diagnostic-Code)."""
    action, status = str(block.get("Action", "")), str(block.get("Status", ""))
    if action.strip().lower() != "failed" or PERMANENT.match(status) is None:
        return False
    return is_about_mailbox(f"{status} {block.get('Diagnostic-Code', '')}")


def _tag(parts: list[Message]) -> str | None:
    """Return the tag in the headers of the letter, which come back as a message or as text, not in the report's own."""
    for part in parts[1:]:
        if part.get_content_type() == "text/rfc822-headers":
            text = part.get_payload(decode=True)
            part = message_from_bytes(text if isinstance(text, bytes) else b"")
        if found := part.get(TAG):
            return str(found).strip()
    return None
