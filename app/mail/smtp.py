"""The conversation with the SMTP server: sign in, hand over one message, and never wait for ever.

One rule tells refusals apart, here and in delivery reports (app/accounts/letters.py): about the mailbox, about the
letter, about us, or for now. In doubt the letter waits: a mailbox that is marked wrongly gets no more notices.
"""

import base64
import binascii
import hmac
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage

from flask import current_app

from app.deadline import Deadline

TIMEOUT = 10.0  # seconds, of each step of the conversation with the server
LONGEST = 60.0  # seconds, of all steps together: a server that sends a byte every nine seconds ends no step
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")  # of SASL, in the order of our choice
WRONG_PASSWORD = 535  # RFC 4954; after any other refusal another mechanism is worth a try

# Where a refused operator should look.
CAUSES = {
    "AUTH": "see the user and the password in SMTP_URL",
    "MAIL FROM": "see that the account of SMTP_URL may send as MAIL_FROM",
    "RCPT TO": "see the account of SMTP_URL: its limits, its senders, and block lists",
    "DATA": "see the account of SMTP_URL: its limits, its senders, and block lists",
}


class MailUnavailable(Exception):
    """The letter is not taken now: no answer, "later" (4xx), a full mailbox. Worth another try."""


class RelayRefused(MailUnavailable):
    """The server refuses us or our configuration (5xx), whatever the mailbox is. Worth another try, and a look."""


class MailRefused(Exception):
    """The server will never take this letter, or the address cannot be written in a header."""


class RecipientRefused(MailRefused):
    """The server says that there is no such mailbox, or that it takes no mail."""


MEANINGS: dict[type[Exception], str] = {
    RecipientRefused: "there is no such mailbox, or it takes no mail",
    MailRefused: "this letter will never be taken",
    MailUnavailable: "not now",
    RelayRefused: "the server refuses us",
}


def hand_over(message: EmailMessage) -> None:
    """Send a message. Raises: MailUnavailable, RelayRefused, MailRefused, RecipientRefused."""
    with connection() as smtp:
        try:
            with _at("DATA"):
                smtp.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            [reply] = error.recipients.values()
            raise refusal("RCPT TO", *reply) from None
        except smtplib.SMTPNotSupportedError:
            raise MailRefused("the mail server takes no address outside of ASCII (SMTPUTF8)") from None


def say_hello() -> None:
    """Check that the server lets us in and takes the sender. Nothing is sent. Raises: MailUnavailable."""
    with connection() as smtp:
        _expect("MAIL FROM", smtp.mail(current_app.config["MAIL_FROM"]))


@contextmanager
def connection() -> Iterator[smtplib.SMTP]:
    """Connect and sign in. Raises: MailUnavailable, RelayRefused.

    smtplib's errors hold the address, and the server's words often do too. So only the codes or the kind of an error
    go on, and `from None` keeps the rest out of the log.
    """
    server = current_app.config["SMTP_SERVER"]
    # Without a name of its own, smtplib asks the DNS for this machine's, and waits for it without a limit.
    own_name = current_app.config["MAIL_FROM"].rpartition("@")[2]
    smtp = smtplib.SMTP(local_hostname=own_name)  # not connected: the deadline has to begin before that
    try:
        with closing(smtp), Deadline(LONGEST) as deadline:
            connected = socket.create_connection((server.host, server.port), TIMEOUT)
            deadline.guard(connected)
            smtp.sock = _encrypted(connected, server.host) if server.tls == "implicit" else connected
            _expect("the greeting", smtp.getreply())
            with _at("EHLO"):
                smtp.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                _expect("STARTTLS", smtp.docmd("STARTTLS"))
                # Forget what was read and offered before: anybody may have written it (RFC 3207).
                smtp.sock, smtp.file = _encrypted(connected, server.host), None
                _expect("EHLO", smtp.ehlo())
            if server.user:
                _sign_in(smtp, server.user, server.password)
            yield smtp
            with suppress(smtplib.SMTPException, OSError):  # the letter is accepted; an error must not send it again
                smtp.quit()
    # A closed connection, a certificate that is not trusted, no such host, a timeout.
    except (smtplib.SMTPException, OSError) as error:
        raise MailUnavailable(f"the mail server cannot be used: {type(error).__name__}") from None


def _encrypted(connected: socket.socket, host: str) -> ssl.SSLSocket:
    """Wrap the socket in TLS. Certificates are checked, by those of the system or of SSL_CERT_FILE."""
    return ssl.create_default_context().wrap_socket(connected, server_hostname=host)


def _sign_in(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """Authenticate by the first mechanism that the server knows. smtplib's login() takes no password but ASCII."""
    offered = smtp.esmtp_features.get("auth", "").upper().split()
    reply = (0, b"")
    for mechanism in (name for name in MECHANISMS if name in offered):
        reply = _authenticate(smtp, mechanism, user.encode(), password.encode())
        if reply[0] // 100 == 2 or reply[0] == WRONG_PASSWORD:
            break
    if not reply[0]:
        raise RelayRefused(f"the mail server lets nobody in by {', '.join(MECHANISMS)}; see SMTP_URL")
    _expect("AUTH", reply)


def _authenticate(smtp: smtplib.SMTP, mechanism: str, user: bytes, password: bytes) -> tuple[int, bytes]:
    """Make one exchange of RFC 4954, in UTF-8 as RFC 4616 has it. Return the last reply."""
    if mechanism == "PLAIN":
        return smtp.docmd("AUTH", "PLAIN " + _base64(b"\0" + user + b"\0" + password))
    code, challenge = smtp.docmd("AUTH", mechanism)
    answers = [user, password]
    if mechanism == "CRAM-MD5" and code == 334:  # RFC 2195
        try:
            digest = hmac.new(password, base64.b64decode(challenge), "md5").hexdigest()
        except binascii.Error:
            raise MailUnavailable("the mail server's challenge of CRAM-MD5 cannot be read") from None
        answers = [user + b" " + digest.encode()]
    for answer in answers:
        if code == 334:
            code, challenge = smtp.docmd(_base64(answer))
    return code, challenge


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


@contextmanager
def _at(step: str) -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPResponseException as error:
        step = "MAIL FROM" if isinstance(error, smtplib.SMTPSenderRefused) else step
        raise refusal(step, error.smtp_code, error.smtp_error) from None


def _expect(step: str, reply: tuple[int, bytes]) -> None:
    if reply[0] // 100 != 2:
        raise refusal(step, *reply)


def refusal(step: str, code: int, words: bytes | str) -> Exception:
    """Return the error that a refusal means, with the codes and without the words."""
    if code < 100:  # the connection ended within the three digits, or what answers does not speak SMTP
        return MailUnavailable(f"the mail server cannot be used: no SMTP reply at {step}")
    said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    codes = " ".join([str(code), *STATUS.findall(said)[:1]])
    kind = meaning(step, code, said)
    advice = f"; {CAUSES.get(step, 'see SMTP_URL')}" if kind is RelayRefused else ""
    return kind(f"{MEANINGS[kind]} at {step}, code {codes}{advice}")


# Enhanced status codes (RFC 3463) of mailboxes: unknown, misspelt, moved, null MX (RFC 7505) or unknown, disabled. Not
# 5.1.2 and 5.4.4, a domain that the server cannot find: its DNS may be broken, and healthchecks tries again, too
# (hc/api/views.py). Not 5.4.1, Exchange Online's "Access denied": a tenant that is set up wrongly says so of everybody.
MAILBOX = {"5.1.1", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
LETTER = re.compile(r"5\.(?:2\.3|3\.4|6\.\d+)")  # too long for the mailbox or the system; the content (RFC 3463, 6531)
OTHER = ".0"  # ends a code that says "other": then the words decide

LONGEST_REPLY = 4_000  # characters of a reply that are read; a delivery report could hold a megabyte
# An enhanced status code in a reply: at the head of each line, or as qmail has it, (#5.1.1).
STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
ADDRESS = re.compile(r"[^\s@]{0,64}@\S*")  # whose name is no word of the server: <spam@relay.example>

# Most servers say one of these, with a code or without. Not "invalid recipient": OpenSMTPD says so of a letter that it
# may not relay (lka_session.c). Not "unknown address error", which IronPort puts before every reply it got.
NO_MAILBOX = re.compile(
    r"\bno (?:such|valid) (?:local )?(?:user|mailbox|recipient|person)|\bno mailbox\b"
    r"|\b(?:unknown|inactive|suspended) (?:local )?(?:user|mailbox|mbox|recipient|local.?part)"
    r"|\b(?:user|mailbox|recipient)\b[^.;]{0,40}?(?:unknown|unavailable|not found|n[o']t exist|inactive|disabled)"
    r"|\buser doesn't have an? |\binvalid mailbox|\bnot a (?:valid|known) (?:user|mailbox)"
)
# Words about us, or about now, whatever else is said. Exim tells with "Sender verify failed" that *our* user is
# unknown (acl.c), GMX says "mailbox unavailable" to who has sent too much or has no MX record, Gmail 5.2.1 of a mailbox
# that gets too much, Amazon 5.1.1 of one on a list of its own. Postfix' "relay recipient table" is where it looks for
# mailboxes.
NOT_THE_MAILBOX = re.compile(
    r"relay(?! recipient)|authenti|authori[sz]|sender|verif|spam|block|black.?list|reputation|polic|denied|prohibit"
    r"|\blimit|\brate\b|quota|\bfull\b|\bspace\b|storage|\blater\b|temporar|too many|\bspf\b|\bdkim\b|\bdmarc\b"
    r"|\bdns\b|resource record|\bdomain\b|\bhost\b|\bdatabase\b|suppress|\bmail from\b"
)
NOT_THE_LETTER = re.compile(r"polic|spam|virus|quota|\bdisk\b")
FULL = re.compile(r"\b5\.2\.[12]\b|mailbox (?:is )?full|over quota|exceeded storage")  # or asked for too often
BAD_LETTER = re.compile(r"message (?:size|length) exceeds|message (?:is )?(?:too (?:big|large)|malformed)")


def meaning(step: str, code: int, words: str) -> type[Exception]:
    """Return the error that a refusal of a command (`step`) means. Before RCPT TO no mailbox was named but our own."""
    if code < 500:
        return MailUnavailable
    if step in ("RCPT TO", "DATA"):
        if is_about_mailbox(words):
            return RecipientRefused
        if FULL.search(words.lower()):
            return MailUnavailable
    if step in ("MAIL FROM", "RCPT TO", "DATA") and is_about_letter(words):
        return MailRefused
    return RelayRefused


def is_about_mailbox(words: str) -> bool:
    """Tell if a permanent failure says that the mailbox does not exist or takes no mail."""
    told = " ".join(ADDRESS.sub("", words[:LONGEST_REPLY]).lower().split())
    if NOT_THE_MAILBOX.search(told):
        return False
    codes = set(_specific(told))
    return codes <= MAILBOX if codes else NO_MAILBOX.search(told) is not None


def is_about_letter(words: str) -> bool:
    told = words.lower()
    if NOT_THE_LETTER.search(told):
        return False
    codes = _specific(told)
    return any(map(LETTER.fullmatch, codes)) if codes else BAD_LETTER.search(told) is not None


def _specific(words: str) -> list[str]:
    return [status for status in STATUS.findall(words) if not status.endswith(OTHER)]
