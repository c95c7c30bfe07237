"""Background jobs of accounts: send the letters; every night purge what has expired.

A job that runs twice sends its letter twice. The link of a letter is drawn when the letter is written.
"""

import logging
from collections.abc import Callable

from flask_babel import force_locale
from sqlalchemy import delete, func, select

from app.accounts import events, letters, models, tokens
from app.accounts.models import AccountToken, Notice, SignUpLink, User
from app.accounts.service import AccountGone
from app.accounts.tokens import RESERVED_FOR, TokenExpired
from app.extensions import db
from app.jobs.queue import queue, retrying
from app.mail import message
from app.mail.smtp import MailUnavailable
from app.soft_delete import purged_nightly

log = logging.getLogger(__name__)

# After 4, 16, 64 … seconds, the last time after a day: greylisting takes minutes, a daily limit hours, and an operator
# has to see that the server refuses us. Later than that nobody waits for a link.
DELIVERY = retrying(8, MailUnavailable)


@queue.task(name="accounts.send_reset_link", retry=DELIVERY)
def send_reset_link(user_id: int, language: str) -> None:
    send_link(letters.reset_password, user_id, tokens.RESET_PASSWORD, language)


@queue.task(name="accounts.send_confirmation", retry=DELIVERY)
def send_confirmation(user_id: int, language: str) -> None:
    send_link(letters.confirm_email, user_id, tokens.CONFIRM_EMAIL, language)


@queue.task(name="accounts.send_sign_up_link", retry=DELIVERY)
def send_sign_up_link(link_id: int, language: str) -> None:
    send_link_to(SignUpLink, link_id, letters.sign_up, language)


@queue.task(name="accounts.send_change_link", retry=DELIVERY)
def send_change_link(token_id: int, language: str) -> None:
    send_link_to(AccountToken, token_id, letters.change_email, language)


def send_link_to(
    model: type[AccountToken | SignUpLink], row_id: int, letter: Callable[[str], message.Letter], language: str
) -> None:
    """Send a link to a new address; to one that an account has, a letter that says so, in its owner's language."""
    try:
        token, email = tokens.draw(row_id, model)
    except TokenExpired:  # or the account that asked was deleted
        log.info("a mail is not worth sending any more: its link was used, or was asked for days ago")
        return
    owner = db.session.scalar(select(User).where(User.email == email))
    db.session.commit()
    with force_locale((owner and owner.language) or language):
        if owner:
            letters.send_to_owner(owner.id, email, letters.email_is_taken())
        else:
            message.send(email, letter(token))


@queue.task(name="accounts.deliver_notice", retry=DELIVERY)
def deliver_notice(notice_id: int, language: str) -> None:
    """Send a notice, unless it was sent or the account was deleted. Its row stays until then."""
    found = select(Notice.kind, Notice.email, User).join(User, User.id == Notice.user_id).where(Notice.id == notice_id)
    row = db.session.execute(found).one_or_none()
    db.session.commit()
    if row is None:
        return
    kind, email, user = row
    if email != user.email or user.email_refused_at is None:  # an address that the account had before is tried
        with force_locale(user.language or language):
            letters.send_to_owner(user.id, email, letters.NOTICES[kind]())
    db.session.execute(delete(Notice).where(Notice.id == notice_id))
    db.session.commit()


def send_link(letter: Callable[[str], message.Letter], user_id: int, purpose: str, language: str) -> None:
    user = db.session.get(User, user_id)
    db.session.commit()  # no transaction stays open while the mail server is talked to
    if user is None:
        return
    try:
        token, email = tokens.draw(tokens.reserve(user.id, purpose, user.email))
    except AccountGone:
        return
    with force_locale(user.language or language):
        letters.send_to_owner(user.id, email, letter(token))


purge_expired_sessions = purged_nightly(
    "accounts.purge_expired_sessions", (models.UserSession, models.UserSession.expires_at <= func.now())
)
purge_expired_tokens = purged_nightly(
    "accounts.purge_expired_tokens",
    # The links of mails a day later: the next attempt to send one draws it anew.
    (AccountToken, AccountToken.expires_at <= func.now() - RESERVED_FOR),
    (SignUpLink, SignUpLink.expires_at <= func.now() - RESERVED_FOR),
    (models.AccessToken, models.AccessToken.expires_at <= func.now()),
    (Notice, Notice.created_at <= func.now() - letters.KEPT),
)
purge_old_events = purged_nightly(
    "accounts.purge_old_events", (models.AccountEvent, models.AccountEvent.created_at <= func.now() - events.KEPT)
)
purge_pending_sign_ins = purged_nightly(
    "accounts.purge_pending_sign_ins", (models.PendingSignIn, models.PendingSignIn.expires_at <= func.now())
)
