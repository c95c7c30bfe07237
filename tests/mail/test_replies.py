"""The meaning of a mail server's reply: no mailbox is given up, and no letter is lost, by what is about us."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts import letters
from app.accounts.letters import read_report
from app.accounts.models import User
from app.extensions import db
from app.mail.smtp import MailRefused, MailUnavailable, RecipientRefused, RelayRefused, is_about_mailbox, meaning
from environment.mail import SmtpServer
from tests.mail.bounced import report
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import PASSWORD, USER, Mailbox, RefusingServer, self_signed_certificate, smtp_server, use

MAILBOX, THE_LETTER, LATER, RELAY = RecipientRefused, MailRefused, MailUnavailable, RelayRefused

GREETING, EHLO, STARTTLS, AUTH, MAIL, RCPT = "the greeting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO"
DATA, DOT = "DATA", "the dot"  # the command, and the end of the letter


class Reply(NamedTuple):
    """Name the server, the step that it refuses, its reply, and what that is about. The recipient is TO."""

    server: str
    step: str
    text: str | bytes
    meaning: type[Exception]


# From their source, documentation, or reports to projects.
REPLIES = [
    Reply("Postfix", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in local recipient table",
          MAILBOX),
    Reply("Postfix, backup MX", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in relay recipient"
          " table", MAILBOX),
    Reply("Exim", RCPT, "550 Unknown user", MAILBOX),
    Reply("qmail", RCPT, "550 sorry, no mailbox here by that name (#5.1.1)", MAILBOX),
    Reply("Gmail", RCPT, "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
          "550-5.1.1 double-checking the recipient's email address for typos or\r\n"
          "550 5.1.1 unnecessary spaces. https://support.google.com/mail/?p=NoSuchUser x12si3 - gsmtp", MAILBOX),
    Reply("Gmail", RCPT, "550 5.2.1 The email account that you tried to reach is inactive. For more information, go to"
          " https://support.google.com/mail/?p=DisabledUser x12si3 - gsmtp", MAILBOX),
    Reply("Outlook.com", RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", MAILBOX),
    Reply("Exchange", DOT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
          MAILBOX),
    Reply("Yahoo", DOT, f"554 delivery error: dd This user doesn't have a yahoo.com account ({TO}) [0] - mta1061",
          MAILBOX),
    Reply("Mail.ru", RCPT, f"550 Message was not accepted -- invalid mailbox.  Local mailbox {TO} is unavailable: user"
          " not found", MAILBOX),

    Reply("Postfix", MAIL, "552 5.3.4 Message size exceeds fixed limit", THE_LETTER),
    Reply("Postfix", RCPT, "553 5.6.7 Must declare SMTPUTF8 to send unicode address", THE_LETTER),
    Reply("Exim", DOT, "552 Message size exceeds maximum permitted", THE_LETTER),
    Reply("Gmail", DOT, "554 5.6.0 Mail message is malformed. Not accepted. x12si3 - gsmtp", THE_LETTER),
    Reply("Exchange", DOT, "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", THE_LETTER),

    Reply("Postgrey", RCPT, f"450 4.2.0 <{TO}>: Recipient address rejected: Greylisted, see http://postgrey.example/",
          LATER),
    Reply("Postfix", STARTTLS, "454 4.7.0 TLS not available due to local problem", LATER),
    Reply("Gmail", RCPT, "552 5.2.2 The recipient's inbox is out of storage space and inactive. x12si3 - gsmtp", LATER),
    Reply("Gmail", RCPT, "550-5.2.1 The user you are trying to contact is receiving mail at a rate that\r\n"
          "550-5.2.1 prevents additional messages from being delivered. For more\r\n"
          "550 5.2.1 information, please visit https://support.google.com/mail/?p=ReceivingRatePerm - gsmtp", LATER),
    Reply("Korean hosts", RCPT, "552 Requested mail action aborted: exceeded storage allocation", LATER),
    Reply("Naver", GREETING, "421 4.3.2 Your IP(192.0.2.7) is filtered and this connection will be closed. You must"
          " register your IP to http://realip.naver.com", LATER),
    Reply("Mailgun", DATA, "421 Domain sandbox.mailgun.org is not allowed to send", LATER),

    Reply("Exim", GREETING, "554 SMTP service not available", RELAY),
    Reply("cPanel", EHLO, '550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)', RELAY),
    Reply("Exim", AUTH, "535 Incorrect authentication data", RELAY),
    Reply("Exim", RCPT, "550 relay not permitted", RELAY),
    Reply("Exim", RCPT, "550 Unrouteable address", RELAY),
    Reply("Exim", RCPT, "550-Verification failed for <hello@semicircle.example>\r\n550-Called:   192.0.2.7\r\n"
          "550-Sent:     RCPT TO:<hello@semicircle.example>\r\n550-Response: 550 5.1.1 no such user\r\n"
          "550 Sender verify failed", RELAY),
    Reply("Postfix", RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org;"
          " https://www.spamhaus.org/query/ip/192.0.2.7", RELAY),
    Reply("OpenSMTPD", RCPT, "550 Invalid recipient", RELAY),
    Reply("a relay", RCPT, f"550 5.1.1 <{TO}>: unknown user, and no relay for it", RELAY),
    Reply("Exchange Online", RCPT, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", RELAY),
    Reply("a content filter", DOT, "554 5.6.0 Content rejected as spam", RELAY),
    Reply("SendGrid", DOT, "550 The from address does not match a verified Sender Identity. Mail cannot be sent until"
          " this error is resolved.", RELAY),
    Reply("Gmail", DOT, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
          "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 x12si3 - gsmtp", RELAY),
    Reply("GMX", RCPT, "550-Requested action not taken: mailbox unavailable\r\n550 Failure sending mail. Try again"
          " later", RELAY),
    Reply("GMX", RCPT, "550-Requested action not taken: mailbox unavailable\r\n550 invalid DNS MX or A/AAAA resource"
          " record", RELAY),
    Reply("Amazon SES", DOT, "554 5.1.1 Amazon SES has suppressed sending to this address because it has a recent"
          " history of bouncing as an invalid address.", RELAY),
    Reply("Postfix, old", RCPT, f"550 <{TO}>: Recipient address rejected: Domain not found", RELAY),
    Reply("Zoho", DOT, "554 5.2.3 MailPolicy violation Error delivering to mailboxes", RELAY),
    Reply("another language", RCPT, "550 존재하지 않는 사용자입니다".encode("euc-kr"), RELAY),
    Reply("no words", RCPT, "550", RELAY),
]  # fmt: skip


GIVEN_UP: dict[type[Exception], str] = {MAILBOX: "the mailbox is given up", THE_LETTER: "the letter is given up"}


@pytest.fixture(scope="module")
def mail_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail")


@pytest.fixture(scope="module")
def refusing(mail_folder: Path) -> Iterator[tuple[Mailbox, SmtpServer]]:
    """Run one server for all replies, which offers encryption and asks for nothing."""
    mailbox = Mailbox()
    certificate = self_signed_certificate(mail_folder / "certificate.pem")
    with smtp_server(mailbox, "starttls", certificate, RefusingServer) as server:
        yield mailbox, dataclasses.replace(server, tls="none")


@pytest.fixture
def reader(alice: User) -> User:
    db.session.execute(update(User).where(User.id == alice.id).values(email=TO))
    db.session.commit()
    return alice


def outcome(user_id: int) -> str:
    """Return what became of a letter to the owner of TO, and of the mailbox."""
    try:
        letters.send_to_owner(user_id, TO, LETTER)
    except MailUnavailable as error:
        return "tried again, and the relay is blamed" if "refuses us" in str(error) else "tried again"
    db.session.expire_all()
    user = db.session.get_one(User, user_id)
    return "the letter is given up" if user.email_refused_at is None else "the mailbox is given up"


def answer(
    context: Flask, monkeypatch: pytest.MonkeyPatch, refusing: tuple[Mailbox, SmtpServer], reply: Reply
) -> Mailbox:
    mailbox, server = refusing
    use(context, monkeypatch, dataclasses.replace(server, tls="starttls" if reply.step == STARTTLS else "none"))
    if reply.step == AUTH:
        use(context, monkeypatch, dataclasses.replace(server, user=USER, password=PASSWORD))
    del mailbox.messages[:], mailbox.recipients[:]
    mailbox.refused = reply.step
    mailbox.reply = reply.text if isinstance(reply.text, bytes) else reply.text.encode()
    mailbox.at_data = str(reply.text) if reply.step == DOT else "250 OK"
    return mailbox


def test_a_reply_means_what_its_server_means_and_what_is_tried_again_arrives(
    context: Flask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refusing: tuple[Mailbox, SmtpServer],
    mail_folder: Path,
    reader: User,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_folder / "certificate.pem"))
    misread = []
    for reply in REPLIES:
        db.session.execute(update(User).values(email_refused_at=None))
        mailbox = answer(context, monkeypatch, refusing, reply)
        retried = "tried again, and the relay is blamed" if reply.meaning is RELAY else "tried again"
        became = outcome(reader.id)
        if became != GIVEN_UP.get(reply.meaning, retried) or mailbox.messages:
            misread.append((reply, became))
        mailbox.refused, mailbox.at_data = "", "250 OK"
        if reply.meaning not in GIVEN_UP:
            letters.send_to_owner(reader.id, TO, LETTER)
            assert mailbox.recipients == [TO], reply
    assert misread == []
    assert TO not in caplog.text


def test_a_report_of_another_trouble_says_nothing_of_the_mailbox() -> None:
    for status, diagnostic in (
        ("5.1.0", "smtp; 5.1.0 - Unknown address error 550-'relay not permitted' (delivery attempts: 0)"),  # IronPort
        ("5.1.1", "smtp; 550 5.7.1 Your IP is on a block list"),
        ("5.4.4", "X-Postfix; Host or domain name not found. Name service error for name=example.com type=A"),
        ("5.4.7", "smtp; 451 4.4.1 Delivery expired"),
        ("5.1.351", "smtp; 550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 blocked"),
        ("5.0.0", ""),
    ):
        read = read_report(report("postfix", "1.abc", status=status, diagnostic=diagnostic))
        assert not read.is_about_mailbox, diagnostic


def test_before_a_recipient_is_named_no_reply_is_about_one_nor_what_is_not_final() -> None:
    for step in ("the greeting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM"):
        assert meaning(step, 550, "5.1.1 no such user") is RELAY, step
    assert [meaning("RCPT TO", code, "5.1.1 no such user") for code in (-1, 499)] == [LATER] * 2


def test_words_are_weighed() -> None:
    about_it = ("550 no such user <relay@spam.example>", "550 USER UNKNOWN")  # the name of an address says nothing
    assert [words for words in about_it if not is_about_mailbox(words)] == []
    about_others = (
        "550 not permitted <no-such-user@example.com>",
        "550 mailbox full, user unknown",
        "550 5.1.1.7 is listed",  # an address of the internet protocol
        *("550 5.1.1234 x", "550 5.1.2 no such system", "550 5.4.1 no answer", "550 5.4.4 no route"),
        "550-5.1.1 no such user\n550 5.7.1 and you are not trusted",
        "x" * 1_000_000,
    )
    assert [words for words in about_others if is_about_mailbox(words)] == []
