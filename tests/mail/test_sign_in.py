"""SMTP_URL, and signing in at the server that it names: any password; who is refused is told what to set."""

import dataclasses
import hmac
import os
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from flask import Flask

import start
from app.mail import message
from app.mail.smtp import MailUnavailable, RelayRefused
from environment.mail import SmtpServer
from environment.mail import smtp_server as server_of
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import PASSWORD, USER, Mailbox, RefusingServer, self_signed_certificate, smtp_server, use
from tests.test_bad_values import GOOD, MAIL, OWN_BUCKET

PASSWORDS = [PASSWORD, "비밀번호 하나", "100%", "\u00a0 "]
REFUSED = "the server refuses us at"
CHALLENGE = b"<1896.697170952@message.example>"  # RFC 2195


class AskingServer(Mailbox):
    """Know one mechanism, and a password."""

    def __init__(self, password: str) -> None:
        super().__init__()
        self.password = password
        self.asked: list[str] = []  # the mechanisms of each AUTH

    def lets_in(self, server: object, session: object, envelope: object, mechanism: str, given: Any) -> AuthResult:
        self.asked.append(mechanism)
        return AuthResult(success=given == LoginPassword(USER.encode(), self.password.encode()), handled=False)

    async def auth_CRAM__MD5(self, server: SMTP, words: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        answer = await server.challenge_auth(CHALLENGE)
        digest = hmac.new(self.password.encode(), CHALLENGE, "md5").hexdigest()
        return AuthResult(success=answer == f"{USER} {digest}".encode(), handled=False)


def asking(mailbox: AskingServer, *mechanisms: str) -> Any:
    others = {"PLAIN", "LOGIN", "CRAM-MD5"} - set(mechanisms)
    options: dict[str, Any] = {"authenticator": mailbox.lets_in, "auth_exclude_mechanism": others}
    return smtp_server(mailbox, kind=RefusingServer, **options)


def as_user(app: Flask, monkeypatch: pytest.MonkeyPatch, server: SmtpServer, password: str) -> None:
    use(app, monkeypatch, dataclasses.replace(server, user=USER, password=password))


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_any_password_is_right_where_it_is(context: Flask, monkeypatch: pytest.MonkeyPatch, mechanism: str) -> None:
    mailbox = AskingServer("")
    with asking(mailbox, mechanism) as server:
        for mailbox.password in PASSWORDS:
            as_user(context, monkeypatch, server, mailbox.password)
            message.send(TO, LETTER)
    assert mailbox.recipients == [TO] * len(PASSWORDS)


def test_what_the_server_knows_is_asked_after_encryption(
    context: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before STARTTLS it offers no sign-in (RFC 3207)."""
    mailbox, certificate = AskingServer(PASSWORD), self_signed_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    options: dict[str, Any] = {"authenticator": mailbox.lets_in, "auth_require_tls": True}
    with smtp_server(mailbox, "starttls", certificate, **options) as server:
        as_user(context, monkeypatch, server, PASSWORD)
        message.send(TO, LETTER)
    assert mailbox.recipients == [TO]


@pytest.mark.parametrize("mechanisms", [["PLAIN", "LOGIN", "CRAM-MD5"], ["LOGIN"], ["CRAM-MD5"]])
def test_a_wrong_password_is_tried_once_and_the_letter_waits(
    context: Flask, monkeypatch: pytest.MonkeyPatch, mechanisms: list[str]
) -> None:
    """Whoever guesses is locked out by the server; and the password may be mended while the letter waits."""
    mailbox = AskingServer(PASSWORD)
    with asking(mailbox, *mechanisms) as server:
        as_user(context, monkeypatch, server, "another é")
        with pytest.raises(RelayRefused, match=r"at AUTH, code 535 5\.7\.8; see the user and the password in SMTP_URL"):
            message.send(TO, LETTER)
    assert mailbox.messages == []
    assert mailbox.asked == [name for name in mechanisms if name != "CRAM-MD5"][:1]


def test_a_server_that_knows_none_of_ours_is_named(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Exchange Online where only XOAUTH2 is left, or a server that lets nobody sign in at this port."""
    mailbox = AskingServer(PASSWORD)
    with asking(mailbox) as server:
        as_user(context, monkeypatch, server, PASSWORD)
        with pytest.raises(RelayRefused, match="lets nobody in by PLAIN, LOGIN, CRAM-MD5; see SMTP_URL"):
            message.send(TO, LETTER)
    assert mailbox.messages == []


def test_a_challenge_that_is_none_is_tried_again(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = AskingServer(PASSWORD)

    async def strange(server: SMTP, words: list[str]) -> AuthResult:
        await server.push("334 abc")
        return AuthResult(success=False, handled=True)

    monkeypatch.setattr(mailbox, "auth_CRAM__MD5", strange)
    with asking(mailbox, "CRAM-MD5") as server:
        as_user(context, monkeypatch, server, PASSWORD)
        with pytest.raises(MailUnavailable, match="challenge of CRAM-MD5 cannot be read"):
            message.send(TO, LETTER)


def check(app: Flask) -> tuple[int, str]:
    ran = app.test_cli_runner().invoke(args=["mail", "check"])
    return ran.exit_code, ran.output


def test_the_check_tells_what_the_server_refuses_and_sends_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(app) == (1, "Error: SMTP_URL is not set: no mail is sent.\n")
    mailbox = AskingServer(PASSWORD)
    with asking(mailbox, "PLAIN") as server:
        as_user(app, monkeypatch, server, PASSWORD)
        assert check(app) == (0, "The mail server lets us in, and takes the sender.\n")
        assert mailbox.messages == []
        mailbox.refused, mailbox.reply = "MAIL FROM", b"553 5.7.1 Sender address rejected: not owned by auth user."
        as_user(app, monkeypatch, server, "another")
        assert check(app) == (1, f"Error: {REFUSED} AUTH, code 535 5.7.8; see the user and the password in SMTP_URL.\n")
        as_user(app, monkeypatch, server, PASSWORD)
        sender = "see that the account of SMTP_URL may send as MAIL_FROM"
        assert check(app) == (1, f"Error: {REFUSED} MAIL FROM, code 553 5.7.1; {sender}.\n")
    assert check(app) == (1, "Error: the mail server cannot be used: ConnectionRefusedError.\n")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://u:p%40%2F@mail.example", SmtpServer("mail.example", 465, "implicit", "u", "p@/")),
        ("smtp+starttls://u%40b:p@mail.example", SmtpServer("mail.example", 587, "starttls", "u@b", "p")),
        ("smtps://%C3%A9:a:b%25%20c@mail.example", SmtpServer("mail.example", 465, "implicit", "é", "a:b% c")),
        ("smtps://u:100%@mail.example", SmtpServer("mail.example", 465, "implicit", "u", "100%")),
        ("smtp+starttls://mail.example:2525/", SmtpServer("mail.example", 2525, "starttls", "", "")),
        ("smtps://[2001:db8::1]:465", SmtpServer("2001:db8::1", 465, "implicit", "", "")),
        ("smtp://localhost", SmtpServer("localhost", 25, "none", "", "")),
        ("smtp://[::1]:1025", SmtpServer("::1", 1025, "none", "", "")),
        ("", None),
    ],
)
def test_the_url_names_the_server(url: str, server: SmtpServer | None) -> None:
    assert server_of({"SMTP_URL": url}) == server


@pytest.mark.parametrize(("mail", "lines"), [({}, 1), (MAIL, 0)])
def test_a_start_without_mail_says_what_will_not_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], mail: dict[str, str], lines: int
) -> None:
    monkeypatch.setattr(os, "environ", {**GOOD, **OWN_BUCKET, **mail})
    start.check_settings()
    told = capfd.readouterr().err
    assert told.count("\n") == told.count("SMTP_URL is not set: a forgotten password cannot be replaced") == lines
