"""The meaning of a mail server's reply: no mailbox is given up, and no letter is lost, by what is about us."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts import bounces
from app.accounts.bounces import read_report
from app.accounts.models import User
from app.extensions import db
from app.mail.replies import Meaning, is_about_mailbox, meaning
from app.mail.smtp import MailUnavailable
from environment.mail import SmtpServer
from tests.mail.bounced import report
from tests.mail.conftest import LETTER, TO
from tests.mail.replies import AUTH, DOT, RCPT, REPLIES, STARTTLS, Reply, as_text
from tests.mail.smtp_server import PASSWORD, USER, Mailbox, RefusingServer, self_signed_certificate, smtp_server, use

GIVEN_UP = {Meaning.MAILBOX: "the mailbox is given up", Meaning.LETTER: "the letter is given up"}
FOR_GOOD = [reply for reply in REPLIES if reply.step in (RCPT, DOT) and as_text(reply.text).startswith("5")]


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
        bounces.send_to_owner(user_id, TO, LETTER)
    except MailUnavailable as error:
        return "tried again, and the relay is blamed" if "refuses us" in str(error) else "tried again"
    db.session.expire_all()
    user = db.session.get_one(User, user_id)
    return "the letter is given up" if user.email_refused_at is None else "the mailbox is given up"


def answer(
    context: Flask, monkeypatch: pytest.MonkeyPatch, refusing: tuple[Mailbox, SmtpServer], reply: Reply
) -> Mailbox:
    """Let the server refuse its step with this reply."""
    mailbox, server = refusing
    use(context, monkeypatch, dataclasses.replace(server, tls="starttls" if reply.step == STARTTLS else "none"))
    if reply.step == AUTH:
        use(context, monkeypatch, dataclasses.replace(server, user=USER, password=PASSWORD))
    del mailbox.messages[:], mailbox.recipients[:]
    mailbox.refused, mailbox.reply = reply.step, as_bytes(reply)
    mailbox.at_data = as_text(reply.text) if reply.step == DOT else "250 OK"
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
        retried = "tried again, and the relay is blamed" if reply.meaning is Meaning.RELAY else "tried again"
        became = outcome(reader.id)
        if became != GIVEN_UP.get(reply.meaning, retried) or mailbox.messages:
            misread.append((reply, became))
        mailbox.refused, mailbox.at_data = "", "250 OK"
        if reply.meaning not in GIVEN_UP:
            bounces.send_to_owner(reader.id, TO, LETTER)
            assert mailbox.recipients == [TO], reply
    assert misread == []
    assert TO not in caplog.text


def as_bytes(reply: Reply) -> bytes:
    return reply.text if isinstance(reply.text, bytes) else reply.text.encode()


def reported(reply: Reply, *, states_the_code: bool) -> bytes:
    """Return a delivery report of a reply, as Postfix writes it, or as Exim, which writes 5.0.0."""
    said = as_text(reply.text)
    code = said.split()[1] if states_the_code and said[3:].split(".")[0].strip(" -") == "5" else "5.0.0"
    status = code if code.startswith("5.") else "5.0.0"
    return report("postfix", "1.abc", status=status, diagnostic="smtp; " + said.replace("\r\n", "\n    "))


def test_a_delivery_report_is_read_by_the_same_rule() -> None:
    misread = [
        reply
        for reply in FOR_GOOD
        for states_the_code in (True, False)
        if read_report(reported(reply, states_the_code=states_the_code)).is_about_mailbox
        != (reply.meaning is Meaning.MAILBOX)
    ]
    assert misread == []


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
        assert meaning(step, 550, "5.1.1 no such user") is Meaning.RELAY, step
    assert [meaning("RCPT TO", code, "5.1.1 no such user") for code in (-1, 499)] == [Meaning.LATER] * 2


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
