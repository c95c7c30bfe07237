"""Email: compose a letter, in two parts, text and HTML, and hand it to the SMTP server (app/mail/smtp.py).

Only jobs send. `later` defers them in the transaction of the row that they are about, and they are retried while the
server does not take the letter (`MailUnavailable`). No text of a user stands in a letter: it would be spam in our name.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from flask import Flask, current_app, render_template
from flask_babel import get_locale
from flask_babel import gettext as _

from app.jobs.queue import defer
from app.mail.smtp import MailRefused, RecipientRefused, hand_over

log = logging.getLogger(__name__)

TAG = "X-Semicircle-Tag"  # the header of app/accounts/letters.py

# Seven bits a byte: every server takes that, also one without 8BITMIME (RFC 6152), and none has to be told.
SEVEN_BIT = SMTP.clone(cte_type="7bit")

# An encoded word (RFC 2047), such as =?utf-8?q?a=2Cb?=: who reads a header decodes it, and "a,b" are two mailboxes.
ENCODED_WORD = re.compile(r"=\?.*\?=")


@dataclass(frozen=True)
class Letter:
    subject: str
    paragraphs: Sequence[str]  # plain sentences
    link: str  # that the reader is asked to open
    action: str  # what the link does, as words on a button


def is_enabled() -> bool:
    """Tell if letters can be sent. Where they cannot, no page offers what needs one."""
    return current_app.config["SMTP_SERVER"] is not None or current_app.config["MAIL_FOLDER"] is not None


def reaches_mailboxes() -> bool:
    """Tell if letters leave this machine. In development they are files."""
    return current_app.config["SMTP_SERVER"] is not None


def init_app(app: Flask) -> None:
    app.jinja_env.globals["sends_mail"] = is_enabled


def later(task: str, /, **arguments: str | int) -> None:
    """Defer a job that sends a letter, in the session's transaction. Does nothing where no letter can be sent.

    The arguments wait in the queue, and stand in the log when the job fails: they hold no address and no token.
    """
    if is_enabled():
        defer(task, after=None, **arguments)


def link(endpoint: str, **values: str) -> str:
    """Return the absolute URL of a page, from SITE_URL. A worker has no request to take a host from."""
    site = urlsplit(current_app.config["SITE_URL"])
    return current_app.url_map.bind(site.netloc, url_scheme=site.scheme).build(endpoint, values, force_external=True)


def send(address: str, letter: Letter, tag: str = "") -> bool:
    """Send a letter to one address, in the language that the caller has set (`force_locale`).

    The tag comes back in a header if the letter does (app/accounts/letters.py). A letter that is refused for good is
    logged, not raised. Return False when the server says that mail to this address will never arrive. Raises:
    MailUnavailable: it was not sent, and the next try may succeed; or it was and the server's answer was lost.
    """
    try:
        message = compose(address, letter)
        if tag:
            message[TAG] = tag
        if current_app.config["SMTP_SERVER"]:
            hand_over(message)
        else:
            _write_down(message, letter.link)
    except MailRefused as error:
        log.warning("a mail was refused for good: %s", error)
        return not isinstance(error, RecipientRefused)
    return True


def compose(address: str, letter: Letter) -> EmailMessage:
    """Compose the message, with the headers that automatic mail has (RFC 3834). Raises: MailRefused."""
    recipient = _recipient(address)
    sender = Address(_("Semicircle"), addr_spec=current_app.config["MAIL_FROM"])
    message = EmailMessage(policy=SEVEN_BIT.clone(utf8=not recipient.addr_spec.isascii()))  # SMTPUTF8 (RFC 6531)
    message["Subject"] = letter.subject
    message["From"] = sender
    message["To"] = recipient
    # The library decodes what it is given, and folds it. So what it writes is compared.
    if "".join(message["To"].fold(policy=message.policy).split()) != f"To:{recipient.addr_spec}":
        raise MailRefused("the address is another one in a header")
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # so that no holiday notice answers
    content = {"letter": letter, "language": str(get_locale()), "site": current_app.config["SITE_URL"]}
    message.set_content(render_template("mail/letter.txt", **content))
    message.add_alternative(render_template("mail/letter.html", **content), subtype="html")
    return message


def _recipient(address: str) -> Address:
    """Parse the address, so that only one can come into a header, whatever the row holds (header injection)."""
    try:
        parsed = validate_email(address, check_deliverability=False)
        recipient = Address(username=parsed.local_part, domain=parsed.ascii_domain)
    except (EmailNotValidError, ValueError):
        raise MailRefused("the address is not one") from None
    if ENCODED_WORD.search(recipient.username):
        raise MailRefused("the address holds an encoded word")
    return recipient


def _write_down(message: EmailMessage, link: str) -> None:
    """Write a file, and log the link, in development."""
    folder = current_app.config["MAIL_FOLDER"]
    folder.mkdir(parents=True, exist_ok=True)
    name = str(message["Message-ID"]).partition("@")[0].strip("<")  # begins with the time
    file = folder / f"{name}.eml"
    file.write_bytes(bytes(message))
    log.info("mail: %s %s", file, link)
