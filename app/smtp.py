"""The conversation with the SMTP server: authenticate, hand over one message, and never wait for ever."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from threading import Event, Thread

from flask import current_app

TIMEOUT = 10.0  # seconds, of each step of the conversation with the server
LONGEST = 60.0  # seconds, of all steps together: a server that sends a byte every nine seconds ends no step
AGAIN = 0.1  # seconds
POLICY = b"5.7."  # enhanced status code (RFC 3463): the server does not trust us, whatever the mailbox is


class MailUnavailable(Exception):
    """The server does not answer, does not let us in, or asks to try again later (4xx). Worth another try."""


class MailRefused(Exception):
    """The server will never take this letter (5xx), or the address cannot be written in a header."""


class RecipientRefused(MailRefused):
    """The server says that there is no such mailbox, or that it takes no mail."""


def hand_over(message: EmailMessage) -> None:
    """Send a message. Raises: MailUnavailable, MailRefused.

    smtplib's errors hold the address, and the server's words often do too. So only the code or the kind of an error
    goes on, and `from None` keeps the rest out of the log.
    """
    try:
        with _connection() as smtp:
            _transfer(smtp, message)
    # A closed connection, a certificate that is not trusted, no such host, a timeout; and a failed sign-in: that is the
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
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=own_name, timeout=TIMEOUT, context=context)
    else:
        smtp = smtplib.SMTP(local_hostname=own_name, timeout=TIMEOUT)
    smtp._host = server.host  # type: ignore[attr-defined] # for the name in the certificate; connect() leaves it empty
    with closing(smtp), deadline(smtp, LONGEST):
        smtp.connect(server.host, server.port)
        if server.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):  # the letter is accepted; an error must not send it again
            smtp.quit()


def _transfer(smtp: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        [(code, words)] = error.recipients.values()
        if code >= 500 and not words.startswith(POLICY):
            raise RecipientRefused(f"code {code}") from None
        raise _by_code(code) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _by_code(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise MailRefused("the mail server takes no address outside of ASCII (SMTPUTF8)") from None


def _by_code(code: int) -> Exception:
    return MailRefused(f"code {code}") if code >= 500 else MailUnavailable(f"not now, code {code}")


@contextmanager
def deadline(smtp: smtplib.SMTP, seconds: float) -> Iterator[None]:
    """End the conversation after so many seconds, whatever it waits for (deadline, total timeout).

    A thread shuts the socket down, which wakes who reads it or writes to it: smtplib then raises. It does so again and
    again, since STARTTLS puts another socket in the place of the first.
    """
    ended = Event()

    def hang_up() -> None:
        ended.wait(seconds)
        while not ended.wait(AGAIN):
            if smtp.sock is not None:
                with suppress(OSError):  # it is closed, or not connected yet
                    socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)  # not SSLSocket's, which another thread reads

    watcher = Thread(target=hang_up, daemon=True, name="smtp-deadline")
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
