"""E-mail: hand a letter to the SMTP server, in two parts, text and HTML.

Only jobs send. They are deferred by `later` in the transaction of the row that they are about, and retried with
exponential backoff while the server does not take the letter (`MailUnavailable`).

No text of a user stands in a letter: a nickname such as "win a prize at evil.example" would be spam in our name.
"""

import logging
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from flask import Flask, current_app, render_template
from flask_babel import get_locale
from flask_babel import gettext as _

from app.jobs import defer

log = logging.getLogger(__name__)

TIMEOUT = 10.0  # seconds, of each step of the conversation with the server


class MailUnavailable(Exception):
    """The server does not answer, does not let us in, or asks to try again later (4xx). Worth another try."""


class MailRefused(Exception):
    """The server will never take this letter (5xx), or the address cannot be written in a header."""


@dataclass(frozen=True)
class Letter:
    """
    Args:
        paragraphs: plain sentences.
        link: what the reader is asked to open; None for a letter that only tells something.
        action: what the link does, as words on a button.
    """

    subject: str
    paragraphs: Sequence[str]
    link: str | None = None
    action: str = ""


def is_enabled() -> bool:
    """Whether letters can be sent. Where they cannot, no page offers what needs one."""
    return current_app.config["SMTP_SERVER"] is not None or current_app.config["MAIL_FOLDER"] is not None


def init_app(app: Flask) -> None:
    app.jinja_env.globals["sends_mail"] = is_enabled


def later(task: str, /, **arguments: str | int) -> None:
    """Defer a job that sends a letter, in the session's transaction. Does nothing where no letter can be sent.

    The arguments wait in the queue, and stand in the log when the job fails. So they name rows, and never hold an
    address or a token.
    """
    if is_enabled():
        defer(task, after=None, **arguments)


def link(endpoint: str, **values: str) -> str:
    """The absolute URL of a page, from the configuration's SITE_URL. A worker has no request to take a host from."""
    site = urlsplit(current_app.config["SITE_URL"])
    return current_app.url_map.bind(site.netloc, url_scheme=site.scheme).build(endpoint, values, force_external=True)


def send(address: str, letter: Letter) -> None:
    """Send a letter to one address. One that is refused for good is logged, not raised.

    A worker has no reader whose language is current, so the caller sets it (`force_locale`).

    Raises:
        MailUnavailable: it was not sent; or it was and the server's answer was lost.
    """
    try:
        message = compose(address, letter)
        if current_app.config["SMTP_SERVER"]:
            _hand_over(message)
        else:
            _write_down(message, letter.link)
    except MailRefused as error:
        log.warning("a mail was refused for good: %s", error)


def compose(address: str, letter: Letter) -> EmailMessage:
    """The message, with the headers that automatic mail has (RFC 3834). Raises: MailRefused."""
    recipient = _recipient(address)
    sender = Address(_("Semicircle"), addr_spec=current_app.config["MAIL_FROM"])
    message = EmailMessage(policy=SMTP if recipient.addr_spec.isascii() else SMTPUTF8)
    message["Subject"] = letter.subject
    message["From"] = sender
    message["To"] = recipient
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # so that no holiday notice answers
    content = {"letter": letter, "language": str(get_locale()), "site": current_app.config["SITE_URL"]}
    message.set_content(render_template("mail/letter.txt", **content))
    message.add_alternative(render_template("mail/letter.html", **content), subtype="html")
    return message


def _recipient(address: str) -> Address:
    """The address as a header takes it, with the domain in ASCII (IDNA). It is parsed again, so that nothing but one
    address comes into a header, whatever the row holds (header injection)."""
    try:
        parsed = validate_email(address, check_deliverability=False)
        return Address(username=parsed.local_part, domain=parsed.ascii_domain)
    except (EmailNotValidError, ValueError):
        raise MailRefused("the address is not one") from None


def _hand_over(message: EmailMessage) -> None:
    """Raises: MailUnavailable, MailRefused.

    smtplib's errors hold the address, and the server's words often do too. So only the code or the kind of an error
    goes on, and `from None` keeps the rest out of the log.
    """
    try:
        with _connection() as smtp:
            _transfer(smtp, message)
    # A closed connection, a certificate that is not trusted, no such host, a timeout; and being let in: that is the
    # configuration's fault and not the letter's, so even a 5xx is tried again.
    except (smtplib.SMTPException, OSError) as error:
        code = getattr(error, "smtp_code", "-")
        raise MailUnavailable(f"the mail server cannot be used: {type(error).__name__}, code {code}") from None


@contextmanager
def _connection() -> Iterator[smtplib.SMTP]:
    """A connection on which we are let in. Certificates are checked, by those of the system or of SSL_CERT_FILE."""
    server = current_app.config["SMTP_SERVER"]
    # Without a name of its own, smtplib asks the DNS for this machine's, and waits for it without a limit.
    own_name = current_app.config["MAIL_FROM"].rpartition("@")[2]
    if server.tls == "implicit":
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, own_name, timeout=TIMEOUT, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, own_name, timeout=TIMEOUT)
    with closing(smtp):
        if server.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):  # the letter is taken; an error here must not send it again
            smtp.quit()


def _transfer(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, _words)] = error.recipients.values()
        raise _by_code(code) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _by_code(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise MailRefused("the mail server takes no address outside of ASCII (SMTPUTF8)") from None


def _by_code(code: int) -> Exception:
    return MailRefused(f"code {code}") if code >= 500 else MailUnavailable(f"not now, code {code}")


def _write_down(message: EmailMessage, link: str | None) -> None:
    """In development: a file, and a line with the link."""
    folder = current_app.config["MAIL_FOLDER"]
    folder.mkdir(parents=True, exist_ok=True)
    name = str(message["Message-ID"]).partition("@")[0].strip("<")  # begins with the time
    file = folder / f"{name}.eml"
    file.write_bytes(bytes(message))
    log.info("mail: %s %s", file, link or "")
