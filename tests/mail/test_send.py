"""Sending a letter: to a real SMTP server, as SMTP_URL names it, over TLS that is checked, to one address, in time."""

import dataclasses
import hmac
import logging
import os
import re
import select
import socket
import threading
from base64 import b64encode
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

import start
from app.mail import message, smtp
from app.mail.message import send
from app.mail.smtp import MailRefused, MailUnavailable, RelayRefused
from environment.mail import SmtpServer
from environment.mail import smtp_server as server_of
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import (
    PASSWORD,
    USER,
    Mailbox,
    answering,
    script,
    self_signed_certificate,
    smtp_server,
    text_of,
    use,
)
from tests.test_bad_values import GOOD, MAIL, OWN_BUCKET

# Header injection: more than one address, no address, or an encoded word that would be read as another one.
HOSTILE = [
    "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "A <a@example.com>",
    '"a\r\nBcc: b"@example.com', "a@example.com\x00", "a@exa\u2028mple.com", "=?utf-8?b?YSxi?=@x.example",
    "=?UTF-8*en?Q?a=2Cb?=@x.example", "a.=?utf-8?q?a=2Cb?=.c@x.example", "달=?utf-8?q?a=2Cb?=@x.example",
    '"=?utf-8?q?a=2Cb?="@x.example', "",
]  # fmt: skip


@pytest.mark.usefixtures("served")
def test_a_letter_arrives_as_text_and_as_html(mailbox: Mailbox) -> None:
    send(TO, LETTER)
    [letter] = mailbox.messages
    assert mailbox.recipients == [TO]
    assert letter["Subject"] == "반달 & half"
    assert text_of(letter).splitlines()[:5] == ["One <b>sentence</b>.", "", "둘째 문장.", "", f"Open: {LETTER.link}"]
    assert "<p>One &lt;b&gt;sentence&lt;/b&gt;.</p>" in text_of(letter, "html")
    assert '<a href="https://semicircle.example/x?a=1&amp;b=2">' in text_of(letter, "html")
    assert "deadline" not in [thread.name for thread in threading.enumerate()]
    # The headers of automatic mail.
    assert (letter["From"], letter["To"]) == ("Semicircle <hello@semicircle.example>", TO)
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@semicircle.example>")
    assert parsedate_to_datetime(letter["Date"]).year > 2000


@pytest.mark.parametrize("offers_eight_bits", [True, False])
def test_a_korean_letter_has_seven_bits_a_byte(
    context: Flask, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox, offers_eight_bits: bool
) -> None:
    """Servers without 8BITMIME take no others, and those with it have to be told of others (RFC 6152)."""
    with smtp_server(mailbox, enable_SMTPUTF8=offers_eight_bits) as server, force_locale("ko"):
        use(context, monkeypatch, server)
        send(TO, LETTER)
    [letter], [received] = mailbox.messages, mailbox.received
    assert received.isascii()
    assert max(map(len, received.split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    assert "둘째 문장." in text_of(letter)
    assert '<html lang="ko">' in text_of(letter, "html")
    assert letter["From"] == "세미서클 <hello@semicircle.example>"


def test_a_server_that_takes_no_such_address_is_not_asked_again(
    context: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mailbox: Mailbox
) -> None:
    with smtp_server(mailbox, enable_SMTPUTF8=False) as server:
        use(context, monkeypatch, server)
        assert send("달@example.com", LETTER)  # which says nothing of the mailbox
    assert mailbox.messages == []
    assert "takes no address outside of ASCII (SMTPUTF8)" in caplog.text


@pytest.mark.usefixtures("served")
def test_an_address_of_other_letters_arrives_and_the_body_has_seven_bits(mailbox: Mailbox) -> None:
    send("달@example.com", LETTER)
    send("a@달.kr", LETTER)
    assert mailbox.recipients == ["달@example.com", "a@xn--bk1b.kr"]
    header, _, body = mailbox.received[0].partition(b"\r\n\r\n")
    assert "To: 달@example.com".encode() in header.split(b"\r\n")
    assert body.isascii()


@pytest.mark.usefixtures("served")
def test_a_hostile_address_comes_into_no_header(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    for address in HOSTILE:
        caplog.clear()
        send(address, LETTER)
        assert mailbox.messages == [], address
        assert "refused for good" in caplog.text, address
        assert "example" not in caplog.text


@pytest.mark.usefixtures("no_server")
def test_a_rare_address_is_the_only_one_in_the_header_and_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the wire has it; also where the reason is another than an encoded word that we know by its look."""
    rare = ("=?utf-8?q?a@example.com", "o'a{|}~`!#$%^&*/=?+_-@example.com", f"{'a' * 64}@{'b' * 60}.example")
    for address in rare:
        header, _, _ = bytes(message.compose(address, LETTER)).partition(b"\r\n\r\n")
        to = [line for line in header.split(b"\r\n") if line.lower().startswith((b"to:", b"cc:", b"bcc:"))]
        assert to == [b"To: " + address.encode()]
    monkeypatch.setattr(message, "ENCODED_WORD", re.compile("(?!)"))
    with pytest.raises(MailRefused, match="another one in a header"):
        message.compose("=?utf-8?q?a=2Cb?=@x.example", LETTER)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_is_accepted_that_the_machine_trusts_and_no_other_nor_that_of_another_host(
    context: Flask, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox, tmp_path: Path, tls: str
) -> None:
    certificate = self_signed_certificate(tmp_path / "certificate.pem")
    with smtp_server(mailbox, tls, certificate) as server:
        use(context, monkeypatch, server)
        with pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
            send(TO, LETTER)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        use(context, monkeypatch, dataclasses.replace(server, host="localhost"))
        with pytest.raises(MailUnavailable, match="SSLCertVerificationError"):
            send(TO, LETTER)
        assert mailbox.messages == []
        use(context, monkeypatch, server)
        send(TO, LETTER)
    assert mailbox.recipients == [TO]


def test_nothing_is_sent_unencrypted_where_starttls_is_asked_for(
    context: Flask, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox, served: SmtpServer
) -> None:
    use(context, monkeypatch, dataclasses.replace(served, tls="starttls"))
    with pytest.raises(MailUnavailable, match="not now at STARTTLS, code 454"):
        send(TO, LETTER)
    assert mailbox.messages == []


@pytest.mark.usefixtures("no_server")
def test_a_server_that_hangs_or_is_not_there_is_given_up(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MailUnavailable, match="ConnectionRefusedError"):
        send(TO, LETTER)
    monkeypatch.setattr(smtp, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(context, monkeypatch, SmtpServer("127.0.0.1", silent.getsockname()[1], "none", "", ""))
        with pytest.raises(MailUnavailable, match="cannot be used"):
            send(TO, LETTER)


def test_a_server_that_drips_has_one_time_for_all_steps(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of the greeting comes in time, and none is the last."""
    monkeypatch.setattr(smtp, "LONGEST", 0.2)

    def drip(client: socket.socket) -> None:
        while not select.select([client], [], [], 0.02)[0]:
            client.sendall(b"220-wait\r\n")

    with answering(drip) as server:
        use(context, monkeypatch, server)
        with pytest.raises(MailUnavailable, match="cannot be used"):
            send(TO, LETTER)


@pytest.mark.parametrize("reply", [b"2", b"HTTP/1.1 400 Bad Request\r\n"], ids=["cut off", "not SMTP"])
def test_a_reply_without_a_code_is_no_refusal(context: Flask, monkeypatch: pytest.MonkeyPatch, reply: bytes) -> None:
    with answering(lambda client: client.sendall(reply)) as server:
        use(context, monkeypatch, server)
        with pytest.raises(MailUnavailable, match="cannot be used: no SMTP reply at the greeting"):
            send(TO, LETTER)


@pytest.mark.usefixtures("no_server")
def test_development_writes_a_file_and_a_line_with_the_link(
    context: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.INFO, "app")
    monkeypatch.setitem(context.config, "SMTP_SERVER", None)
    monkeypatch.setitem(context.config, "MAIL_FOLDER", tmp_path / "mail")
    send(TO, LETTER)
    [file] = (tmp_path / "mail").glob("*.eml")
    assert b"To: reader@example.com" in file.read_bytes()
    assert str(file) in caplog.text
    assert str(LETTER.link) in caplog.text


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
