"""The letters of accounts, none of which contains text from a user, and what is done when one comes back.

A notice tells the owner of an account what happened to it, at the address that the account had then: until the worker
writes it, a stranger may have moved the account to an address of theirs. So a row holds the address; the job names it.

Bounces: the account notes that mail does not arrive, as a server says at once or by a delivery status notification
(DSN, RFC 3464) in a multipart/report (RFC 6522). Anybody can write one. It is read as leniently as mail servers write,
since all that counts is a tag: an HMAC of account and address, which every letter to an account carries in a header,
and which comes back. What follows from the note is in docs/architecture.md.
"""

import hmac
import logging
import re
from datetime import timedelta
from email import message_from_bytes
from email.message import Message

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import func, insert, select, update

from app.accounts.events import NOBODY
from app.accounts.models import Notice, User
from app.accounts.tokens import LIFETIME
from app.extensions import db
from app.mail import message
from app.mail.message import TAG, Letter
from app.mail.smtp import is_about_mailbox

log = logging.getLogger(__name__)

KEPT = timedelta(days=30)  # of a notice: as long as the failed job that an operator can put back into the queue


def _with_link(subject: str, why: str, endpoint: str, token: str, button: str) -> Letter:
    once = _("The link works once, for %(minutes)d minutes.", minutes=LIFETIME // timedelta(minutes=1))
    not_you = _("If you didn't ask for this, you can ignore this email.")
    return Letter(subject, (why, once, not_you), message.link(endpoint, token=token), button)


def reset_password(token: str) -> Letter:
    subject, why = _("Reset your Semicircle password"), _("You can set a new password for your account.")
    return _with_link(subject, why, "mailed_links.new_password", token, _("Set a new password"))


def sign_up(token: str) -> Letter:
    subject, why = _("Finish signing up for Semicircle"), _("Choose a nickname and a password to finish signing up.")
    return _with_link(subject, why, "mailed_links.sign_up", token, _("Finish signing up"))


def confirm_email(token: str) -> Letter:
    subject, why = _("Please confirm your email address"), _("This address belongs to a Semicircle account.")
    return _with_link(subject, why, "mailed_links.confirm_email", token, _("Confirm address"))


def change_email(token: str) -> Letter:
    subject = _("Please confirm your new email address")
    why = _("Someone asked to use this address for their Semicircle account.")
    return _with_link(subject, why, "mailed_links.change_email", token, _("Use this address"))


def email_is_taken() -> Letter:
    paragraphs = (
        _("Someone tried to create a Semicircle account with this address, but it already has one."),
        _("If this was you, sign in with this address. If you've forgotten your password, you can reset it there."),
        _("If you didn't ask for this, you can ignore this email."),
    )
    return Letter(_("This address already has an account"), paragraphs, message.link("accounts.sign_in"), _("Sign in"))


def password_changed() -> Letter:
    return _notice(
        _("Your password was changed"),
        _("Your Semicircle password was changed, and all devices were signed out."),
        _("Your passkeys still work. If you don't recognize one, remove it under My page."),
        _("If this wasn't you, set a new password right away."),
    )


def email_change_asked() -> Letter:
    return _notice(
        _("Your email address is about to change"),
        _("Someone who knows your Semicircle password asked to change the email address of your account."),
        _("If this wasn't you, set a new password right away. That also cancels the change."),
    )


def _notice(subject: str, *paragraphs: str) -> Letter:
    return Letter(subject, paragraphs, message.link("mailed_links.forgot_password"), _("Set a new password"))


# By the names that the jobs carry.
NOTICES = {"password_changed": password_changed, "email_change_asked": email_change_asked}


def tell(user: User, kind: str, language: str) -> None:
    """Let the worker send a notice, of a kind of NOTICES, to the address that the account has now. The caller commits.

    `user` is locked, so that the address is the one of this transaction. `language`: where the account chose none.
    """
    if message.is_enabled():
        stored = insert(Notice).values(user_id=user.id, kind=kind, email=user.email).returning(Notice.id)
        notice_id = db.session.execute(stored).scalar_one()
        message.later("accounts.deliver_notice", notice_id=notice_id, language=language)


MAX_SIZE = 1_000_000  # bytes of a notification
NO_REPORT = "this is not a delivery status notification"
PERMANENT = re.compile(r"\s*5\.\d{1,3}\.\d{1,3}\b")


class NothingNoted(Exception):
    """The message tells of no account whose mailbox is dead. Its text says why, to an operator."""


def send_to_owner(user_id: int, email: str, letter: Letter) -> None:
    """Send a letter to the address of an account, and note when there is no such mailbox. Raises: MailUnavailable."""
    if not message.send(email, letter, tag=tags(user_id, email)[0]):
        note_refusal(user_id, email)


def note_refusal(user_id: int, email: str) -> None:
    """Note that the account's mail does not arrive, unless it has another address by now."""
    refused = update(User).where(User.id == user_id, User.email == email, User.email_refused_at.is_(None))
    db.session.execute(refused.values(email_refused_at=func.now()))
    db.session.commit()
    log.warning("mail does not arrive: account=%d", user_id)


def note_bounce(tag: str) -> None:
    """Note that a letter came back. Raises: NothingNoted: its account is gone or has another address, or never was."""
    number = tag.partition(".")[0]
    user_id = int(number) if tag.isascii() and number.isdigit() and len(number) < 19 else NOBODY  # a bigint
    email = db.session.scalar(select(User.email).where(User.id == user_id))
    db.session.commit()
    if email is None or not any(hmac.compare_digest(tag, known) for known in tags(user_id, email)):
        raise NothingNoted("it is not about a mail of ours to the current address of an account")
    note_refusal(user_id, email)


def tags(user_id: int, email: str) -> list[str]:
    """Return the tags of letters to this address, by SECRET_KEY and by earlier keys: a bounce may take five days."""
    keys = [current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]]
    text = f"bounce {user_id} {email}".encode()
    return [f"{user_id}.{hmac.new(str(key).encode(), text, 'sha256').hexdigest()[:32]}" for key in keys]


def read_report(raw: bytes) -> str:
    """Return the tag of a letter that will never arrive, from a message of at most MAX_SIZE. Raises: NothingNoted.

    Without the headers of the letter it is empty. A server that does not trust us says nothing of the mailbox, nor does
    one that could not reach another one.
    """
    try:
        parts = list(message_from_bytes(raw).walk())
        status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
        if not status:
            raise NothingNoted(NO_REPORT)
        # Each holds the fields of the message, then those of each recipient.
        blocks = [block for part in status for block in part.get_payload() or () if isinstance(block, Message)]
        if not any(map(_is_refused_by_mailbox, blocks)):
            raise NothingNoted("the mail was delivered, may still be, or failed for no fault of the mailbox")
        return _tag(parts)
    except (RecursionError, ValueError, LookupError) as error:  # parts in parts in parts, or what is not text
        raise NothingNoted(NO_REPORT) from error


def _is_refused_by_mailbox(block: Message) -> bool:
    """Judge by the Status, and by the reply that the server got from another one (Diagnostic-Code)."""
    action, status = str(block.get("Action", "")), str(block.get("Status", ""))
    if action.strip().lower() != "failed" or PERMANENT.match(status) is None:
        return False
    return is_about_mailbox(f"{status} {block.get('Diagnostic-Code', '')}")


def _tag(parts: list[Message]) -> str:
    """Return the tag in the headers of the letter, which come back as a message or as text, not in the report's own."""
    for part in parts[1:]:
        if part.get_content_type() == "text/rfc822-headers":
            text = part.get_payload(decode=True)
            part = message_from_bytes(text if isinstance(text, bytes) else b"")
        if found := part.get(TAG):
            return str(found).strip()
    return ""
