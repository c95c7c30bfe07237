"""Replies of mail servers, and the meaning of each: from their source, documentation, or reports to projects.

A row has the server, the step that it refuses, its reply, and whether that is about the mailbox, about the letter, for
now, or about us. The recipient is TO.
"""

from typing import NamedTuple

from app.mail.replies import Meaning
from tests.mail.conftest import TO

MAILBOX, LETTER, LATER, RELAY = Meaning.MAILBOX, Meaning.LETTER, Meaning.LATER, Meaning.RELAY

GREETING, EHLO, STARTTLS, AUTH, MAIL, RCPT = "the greeting", "EHLO", "STARTTLS", "AUTH", "MAIL FROM", "RCPT TO"
DATA, DOT = "DATA", "the dot"  # the command, and the end of the letter


class Reply(NamedTuple):
    server: str
    step: str
    text: str | bytes
    meaning: Meaning


REPLIES = [
    Reply("Postfix", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in local recipient table",
          MAILBOX),
    Reply("Postfix, backup MX", RCPT, f"550 5.1.1 <{TO}>: Recipient address rejected: User unknown in relay recipient"
          " table", MAILBOX),
    Reply("Postfix", RCPT, "501 5.1.3 Bad recipient address syntax", MAILBOX),
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
    Reply("iCloud", RCPT, f"550 5.1.6 recipient no longer on server: {TO}", MAILBOX),
    Reply("Mail.ru", RCPT, f"550 Message was not accepted -- invalid mailbox.  Local mailbox {TO} is unavailable: user"
          " not found", MAILBOX),

    Reply("Postfix", MAIL, "552 5.3.4 Message size exceeds fixed limit", LETTER),
    Reply("Postfix", RCPT, "553 5.6.7 Must declare SMTPUTF8 to send unicode address", LETTER),
    Reply("Exim", DOT, "552 Message size exceeds maximum permitted", LETTER),
    Reply("OpenSMTPD", DOT, "554 5.3.4 Message too big for system: Transaction failed, message too big", LETTER),
    Reply("Gmail", DOT, "554 5.6.0 Mail message is malformed. Not accepted. x12si3 - gsmtp", LETTER),
    Reply("Exchange", DOT, "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient", LETTER),

    Reply("Postgrey", RCPT, f"450 4.2.0 <{TO}>: Recipient address rejected: Greylisted, see http://postgrey.example/",
          LATER),
    Reply("Postfix", STARTTLS, "454 4.7.0 TLS not available due to local problem", LATER),
    Reply("Gmail", RCPT, "552 5.2.2 The recipient's inbox is out of storage space and inactive. x12si3 - gsmtp", LATER),
    Reply("Gmail", RCPT, "550-5.2.1 The user you are trying to contact is receiving mail at a rate that\r\n"
          "550-5.2.1 prevents additional messages from being delivered. For more\r\n"
          "550 5.2.1 information, please visit https://support.google.com/mail/?p=ReceivingRatePerm - gsmtp", LATER),
    Reply("Gmail", AUTH, "454 4.7.0 Too many login attempts, please try again later. x12si3 - gsmtp", LATER),
    Reply("Korean hosts", RCPT, "552 Requested mail action aborted: exceeded storage allocation", LATER),
    Reply("Naver", GREETING, "421 4.3.2 Your IP(192.0.2.7) is filtered and this connection will be closed. You must"
          " register your IP to http://realip.naver.com", LATER),
    Reply("Amazon SES", DOT, "454 Throttling failure: Daily message quota exceeded", LATER),
    Reply("Mailgun", DATA, "421 Domain sandbox.mailgun.org is not allowed to send: Sandbox subdomains are for test"
          " purposes only.", LATER),

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
    Reply("Postfix", RCPT, "553 5.7.1 <hello@semicircle.example>: Sender address rejected: not logged in", RELAY),
    Reply("Sendmail", RCPT, f"550 5.1.2 <{TO}>... Host unknown (Name server: example.com: host not found)", RELAY),
    Reply("OpenSMTPD", RCPT, "550 Invalid recipient", RELAY),
    Reply("OpenSMTPD", MAIL, "530 5.5.1 Invalid command: Must issue an AUTH command first", RELAY),
    Reply("a relay", RCPT, "550 authentication required", RELAY),
    Reply("Exchange Online", RCPT, "550 5.1.8 Access denied, bad outbound sender AS(42004)", RELAY),
    Reply("Exchange Online", RCPT, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", RELAY),
    Reply("Exchange Online", DOT, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAs"
          "Denied; Failed to process message due to a permanent exception with message Cannot submit message."
          " 0.35250:D8360000, 1.36674:0A000000", RELAY),
    Reply("a content filter", DOT, "554 5.6.0 Content rejected as spam", RELAY),
    Reply("Amazon SES", DOT, "554 Message rejected: Email address is not verified. The following identities failed the"
          f" check in region EU-WEST-1: {TO}", RELAY),
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


def as_text(reply: str | bytes) -> str:
    return reply if isinstance(reply, str) else reply.decode("utf-8", "replace")
