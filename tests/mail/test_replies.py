"""The meaning of a mail server's reply: no mailbox is given up, and no letter is lost, by what is about us."""

import dataclasses

import pytest
from flask import Flask

from app.accounts.letters import NothingNoted, read_report
from app.mail import smtp
from app.mail.message import send
from tests.mail.bounced import report
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import USER, answering, script, use

MAILBOX, THE_LETTER, LATER, RELAY = smtp.RecipientRefused, smtp.MailRefused, smtp.MailUnavailable, smtp.RelayRefused

GREETING, MAIL, RCPT = "the greeting", "MAIL FROM", "RCPT TO"
DATA = "DATA"  # the command, and the end of the letter

# The server, the step that it refuses, its reply, and what that is about. The recipient is TO. From the source of the
# servers, their documentation, or reports to projects.
REPLIES: list[tuple[str, str, str | bytes, type[Exception]]] = [
    ("Postfix", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in local recipient table", MAILBOX),
    ("Postfix, backup MX", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in relay recipient"
     " table", MAILBOX),
    ("Exim", RCPT, "550 Unknown user", MAILBOX),
    ("qmail", RCPT, "550 sorry, no mailbox here by that name (#5.1.1)", MAILBOX),
    ("Gmail", RCPT, "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
     "550-5.1.1 double-checking the recipient's email address for typos or\r\n"
     "550 5.1.1 unnecessary spaces. https://support.google.com/mail/?p=NoSuchUser x12si3 - gsmtp", MAILBOX),
    ("Gmail", RCPT, "550 5.2.1 The email account that you tried to reach is inactive. For more information, go to"
     " https://support.google.com/mail/?p=DisabledUser x12si3 - gsmtp", MAILBOX),
    ("Outlook.com", RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", MAILBOX),
    ("Exchange", DATA, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
     MAILBOX),
    ("Yahoo", DATA, f"554 delivery error: dd This user doesn't have a yahoo.com account ({TO}) [0] - mta1061", MAILBOX),
    ("Mail.ru", RCPT, f"550 Message was not accepted -- invalid mailbox.  Local mailbox {TO} is unavailable: user"
     " not found", MAILBOX),

    ("Postfix", MAIL, "552 5.3.4 Message size exceeds fixed limit", THE_LETTER),
    ("Postfix", RCPT, "553 5.6.7 Must declare SMTPUTF8 to send unicode address", THE_LETTER),
    ("Exim", DATA, "552 Message size exceeds maximum permitted", THE_LETTER),
    ("Gmail", DATA, "554 5.6.0 Mail message is malformed. Not accepted. x12si3 - gsmtp", THE_LETTER),
    ("Exchange", DATA, "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", THE_LETTER),

    ("Postgrey", RCPT, f"450 4.2.0 <{TO}>: Recipient address rejected: Greylisted, see http://postgrey.example/",
     LATER),
    ("Gmail", RCPT, "552 5.2.2 The recipient's inbox is out of storage space and inactive. x12si3 - gsmtp", LATER),
    ("Gmail", RCPT, "550-5.2.1 The user you are trying to contact is receiving mail at a rate that\r\n"
     "550-5.2.1 prevents additional messages from being delivered. For more\r\n"
     "550 5.2.1 information, please visit https://support.google.com/mail/?p=ReceivingRatePerm - gsmtp", LATER),
    ("Korean hosts", RCPT, "552 Requested mail action aborted: exceeded storage allocation", LATER),
    ("Mailgun", DATA, "421 Domain sandbox.mailgun.org is not allowed to send", LATER),

    ("Exim", GREETING, "554 SMTP service not available", RELAY),
    ("Exim", RCPT, "550 relay not permitted", RELAY),
    ("Exim", RCPT, "550 Unrouteable address", RELAY),
    ("Exim", RCPT, "550-Verification failed for <hello@semicircle.example>\r\n550-Called:   192.0.2.7\r\n"
     "550-Sent:     RCPT TO:<hello@semicircle.example>\r\n550-Response: 550 5.1.1 no such user\r\n"
     "550 Sender verify failed", RELAY),
    ("Postfix", RCPT, "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org;"
     " https://www.spamhaus.org/query/ip/192.0.2.7", RELAY),
    ("OpenSMTPD", RCPT, "550 Invalid recipient", RELAY),
    ("a relay", RCPT, f"550 5.1.1 <{TO}>: unknown user, and no relay for it", RELAY),
    ("Exchange Online", RCPT, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", RELAY),
    ("a content filter", DATA, "554 5.6.0 Content rejected as spam", RELAY),
    ("SendGrid", DATA, "550 The from address does not match a verified Sender Identity. Mail cannot be sent until"
     " this error is resolved.", RELAY),
    ("Gmail", DATA, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n"
     "550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 x12si3 - gsmtp", RELAY),
    ("GMX", RCPT, "550-Requested action not taken: mailbox unavailable\r\n550 Failure sending mail. Try again"
     " later", RELAY),
    ("GMX", RCPT, "550-Requested action not taken: mailbox unavailable\r\n550 invalid DNS MX or A/AAAA resource"
     " record", RELAY),
    ("Amazon SES", DATA, "554 5.1.1 Amazon SES has suppressed sending to this address because it has a recent"
     " history of bouncing as an invalid address.", RELAY),
    ("Postfix, old", RCPT, f"550 <{TO}>: Recipient address rejected: Domain not found", RELAY),
    ("Zoho", DATA, "554 5.2.3 MailPolicy violation Error delivering to mailboxes", RELAY),
    ("another language", RCPT, "550 존재하지 않는 사용자입니다".encode("euc-kr"), RELAY),
    ("no words", RCPT, "550", RELAY),
]  # fmt: skip


def test_a_reply_means_what_its_server_means() -> None:
    misread = []
    for server, step, reply, about in REPLIES:
        lines = (reply if isinstance(reply, bytes) else reply.encode()).splitlines()
        error = smtp.refusal(step, int(lines[0][:3]), b"\n".join(line[4:] for line in lines))  # as smtplib has it
        if type(error) is not about or TO in str(error):
            misread.append((server, reply, error))
    assert misread == []


def test_a_refused_step_is_named_without_the_servers_words(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hello, offer, ok, go_on = b"220 hello", b"250-hello\r\n250 AUTH PLAIN", b"250 ok", b"354 go on"
    refused = f"550-5.7.1 {TO} may not\r\n550 5.7.1 be written to".encode()
    steps: list[tuple[str, list[bytes]]] = [
        (GREETING, []),
        ("EHLO", [hello]),
        *((step, [hello, offer]) for step in ("STARTTLS", "AUTH", MAIL)),
        (RCPT, [hello, offer, ok]),
        (DATA, [hello, offer, ok, ok]),
        (DATA, [hello, offer, ok, ok, go_on]),
    ]
    for step, before in steps:
        with answering(script(*before, refused, refused)) as server:  # the second time HELO, or RSET
            encryption, user = "starttls" if step == "STARTTLS" else "none", USER if step == "AUTH" else ""
            use(context, monkeypatch, dataclasses.replace(server, tls=encryption, user=user))
            with pytest.raises(RELAY, match=f"refuses us at {step}, code 550 5.7.1; see ") as raised:
                send(TO, LETTER)
        assert TO not in str(raised.value)
        assert raised.value.__suppress_context__ or not raised.value.__context__


def test_a_report_of_another_trouble_says_nothing_of_the_mailbox() -> None:
    for status, diagnostic in (
        ("5.1.0", "smtp; 5.1.0 - Unknown address error 550-'relay not permitted' (delivery attempts: 0)"),  # IronPort
        ("5.1.1", "smtp; 550 5.7.1 Your IP is on a block list"),
        ("5.4.4", "X-Postfix; Host or domain name not found. Name service error for name=example.com type=A"),
        ("5.4.7", "smtp; 451 4.4.1 Delivery expired"),
        ("5.1.351", "smtp; 550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 blocked"),
        ("5.0.0", ""),
    ):
        with pytest.raises(NothingNoted, match="for no fault of the mailbox"):
            read_report(report("postfix", "1.abc", status=status, diagnostic=diagnostic))


def test_before_a_recipient_is_named_no_reply_is_about_one_nor_what_is_not_final() -> None:
    for step in (GREETING, "EHLO", "STARTTLS", "AUTH", MAIL):
        assert smtp.meaning(step, 550, "5.1.1 no such user") is RELAY, step
    assert [smtp.meaning(RCPT, code, "5.1.1 no such user") for code in (-1, 499)] == [LATER] * 2


def test_words_are_weighed() -> None:
    about_it = ("550 no such user <relay@spam.example>", "550 USER UNKNOWN")  # the name of an address says nothing
    assert [words for words in about_it if not smtp.is_about_mailbox(words)] == []
    about_others = (
        "550 not permitted <no-such-user@example.com>",
        *("550 mailbox full, user unknown", "550 sender: no such user"),
        "550 5.1.1.7 is listed",  # an address of the internet protocol
        *("550 5.1.1234 x", "550 5.1.2 no such system", "550 5.4.1 no answer", "550 5.4.4 no route"),
        "550-5.1.1 no such user\n550 5.7.1 and you are not trusted",
        "x" * 1_000_000,
    )
    assert [words for words in about_others if smtp.is_about_mailbox(words)] == []
