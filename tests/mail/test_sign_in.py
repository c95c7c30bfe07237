"""SMTP_URL, and signing in at the server that it names: any password; who is refused is told what to set."""

import dataclasses
import hmac
import os
import re
from base64 import b64encode
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from flask import Flask

import start
from app.mail import message
from app.mail.smtp import MailUnavailable, RelayRefused
from environment.mail import SmtpServer
from environment.mail import smtp_server as server_of
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import PASSWORD, USER, Mailbox, answering, script, self_signed_certificate, smtp_server, use
from tests.test_bad_values import GOOD, MAIL, OWN_BUCKET

REFUSED = b"535 5.7.8 wrong"
WRONG = r"at AUTH, code 535 5\.7\.8; see the user and the password in SMTP_URL"
TAKEN = [b"235 in", b"250 ok", b"250 ok", b"354 go on", b"250 ok"]
CHALLENGE = b"<1896.697170952@message.example>"  # RFC 2195


def as_user(app: Flask, monkeypatch: pytest.MonkeyPatch, server: SmtpServer, password: str = PASSWORD) -> None:
    use(app, monkeypatch, dataclasses.replace(server, user=USER, password=password))


def offering(mechanisms: str, *replies: bytes, heard: list[bytes] | None = None) -> AbstractContextManager[SmtpServer]:
    """Run a server that offers mechanisms, and gives these replies to what follows."""
    return answering(script(b"220 hello", f"250-hello\r\n250 AUTH {mechanisms}".encode(), *replies, heard=heard))


def test_any_password_is_sent_by_the_first_mechanism_taken(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user, password = USER.encode(), "비밀번호\u00a0 ".encode()
    digest = hmac.new(password, CHALLENGE, "md5").hexdigest().encode()
    plain = [b"AUTH PLAIN " + b64encode(b"\0" + user + b"\0" + password)]
    login = [b"AUTH LOGIN", b64encode(user), b64encode(password)]
    for mechanism, asked, told in (
        ("PLAIN", [], plain),
        ("LOGIN", [b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6"], login),
        ("CRAM-MD5", [b"334 " + b64encode(CHALLENGE)], [b"AUTH CRAM-MD5", b64encode(user + b" " + digest)]),
        ("LOGIN PLAIN", [b"504 not taken", b"334 ", b"334 "], plain + login),
    ):
        heard: list[bytes] = []
        with offering(mechanism, *asked, *TAKEN, heard=heard) as server:
            as_user(context, monkeypatch, server, password.decode())
            message.send(TO, LETTER)
        assert heard[1:][: len(told)] == told


def test_the_server_is_asked_after_encryption(context: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before STARTTLS it offers no sign-in (RFC 3207)."""
    mailbox, certificate = Mailbox(), self_signed_certificate(tmp_path / "certificate.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with smtp_server(mailbox, "starttls", certificate, auth_require_tls=True) as server:
        as_user(context, monkeypatch, server)
        message.send(TO, LETTER)
    assert mailbox.recipients == [TO]


def test_who_is_refused_is_told_what_to_set_and_tried_once(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses is locked out by the server; and the password may be mended while the letter waits."""
    refusals: list[tuple[str, list[bytes], type[Exception], str]] = [
        ("PLAIN LOGIN CRAM-MD5", [REFUSED], RelayRefused, WRONG),
        ("LOGIN", [b"334 ", b"334 ", REFUSED], RelayRefused, WRONG),
        ("CRAM-MD5", [b"334 PDE+", REFUSED], RelayRefused, WRONG),
        ("CRAM-MD5", [b"334 abc"], MailUnavailable, "challenge of CRAM-MD5 cannot be read"),
        # As Exchange Online, or a server that lets nobody sign in at this port.
        ("XOAUTH2", [], RelayRefused, "lets nobody in by PLAIN, LOGIN, CRAM-MD5; see SMTP_URL"),
    ]
    for mechanisms, replies, error, said in refusals:
        with offering(mechanisms, *replies) as server:
            as_user(context, monkeypatch, server, "another é")
            with pytest.raises(error, match=said):
                message.send(TO, LETTER)


def check(app: Flask) -> tuple[int, str]:
    ran = app.test_cli_runner().invoke(args=["mail", "check"])
    return ran.exit_code, ran.output


def test_the_check_tells_what_the_server_refuses_and_sends_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(app) == (1, "Error: SMTP_URL is not set: no mail is sent.\n")
    mailbox = Mailbox()
    with smtp_server(mailbox) as server:
        as_user(app, monkeypatch, server)
        assert check(app) == (0, "The mail server lets us in, and takes the sender.\n")
        assert mailbox.messages == []
        as_user(app, monkeypatch, server, "another")
        assert re.search(f"^Error: the server refuses us {WRONG}.\n$", check(app)[1])
    assert check(app) == (1, "Error: the mail server cannot be used: ConnectionRefusedError.\n")
    with offering("PLAIN", b"235 in", b"553 5.7.1 Sender address rejected: not owned by auth user.") as server:
        as_user(app, monkeypatch, server)
        sender = "see that the account of SMTP_URL may send as MAIL_FROM"
        assert check(app) == (1, f"Error: the server refuses us at MAIL FROM, code 553 5.7.1; {sender}.\n")


def test_the_url_names_the_server() -> None:
    servers = {
        "smtps://u:p%40%2F@mail.example": SmtpServer("mail.example", 465, "implicit", "u", "p@/"),
        "smtp+starttls://u%40b:p@mail.example": SmtpServer("mail.example", 587, "starttls", "u@b", "p"),
        "smtps://%C3%A9:a:b%25%20c@mail.example": SmtpServer("mail.example", 465, "implicit", "é", "a:b% c"),
        "smtps://u:100%@mail.example": SmtpServer("mail.example", 465, "implicit", "u", "100%"),
        "smtp+starttls://mail.example:2525/": SmtpServer("mail.example", 2525, "starttls", "", ""),
        "smtps://[2001:db8::1]:465": SmtpServer("2001:db8::1", 465, "implicit", "", ""),
        "smtp://localhost": SmtpServer("localhost", 25, "none", "", ""),
        "": None,
    }
    assert {url: server_of({"SMTP_URL": url}) for url in servers} == servers


@pytest.mark.parametrize(("mail", "lines"), [({}, 1), (MAIL, 0)])
def test_a_start_without_mail_says_what_will_not_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], mail: dict[str, str], lines: int
) -> None:
    monkeypatch.setattr(os, "environ", {**GOOD, **OWN_BUCKET, **mail})
    start.check_settings()
    told = capfd.readouterr().err
    assert told.count("\n") == told.count("SMTP_URL is not set: a forgotten password cannot be replaced") == lines
