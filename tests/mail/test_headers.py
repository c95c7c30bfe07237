"""Header injection: whatever a row holds, a letter goes to one address, and to the one that is written."""

import dataclasses
import re

import pytest
from flask import Flask

from app.mail import message
from app.mail.smtp import MailRefused
from environment.mail import SmtpServer
from tests.mail.conftest import LETTER, TO
from tests.mail.smtp_server import Mailbox, smtp_server, use

HOSTILE = [
    "a@example.com\r\nBcc: b@example.com", "a@example.com\nBcc: b@example.com", "a@example.com\r\n\r\nbody",
    "a@example.com, b@example.com", "a@example.com; b@example.com", "A <a@example.com>", '"a\r\nBcc: b"@example.com',
    "a@example.com\x00", "a@exa\u2028mple.com", "a@example.com>\r\nRCPT TO:<b@example.com",
    "=?utf-8?q?victim?=@example.com", "=?utf-8?b?YSxi?=@x.example", "=?UTF-8*en?Q?a=2Cb?=@x.example",
    "=?utf-8?q?v=40evil.example=3E_?=@x.example", "=?utf-8?q?a=0D=0ABcc=3Ab?=@x.example",
    "a.=?utf-8?q?a=2Cb?=.c@x.example", "달=?utf-8?q?a=2Cb?=@x.example",
    '"=?utf-8?q?a=2Cb?="@x.example', "",
]  # fmt: skip


def test_a_hostile_address_comes_into_no_header(
    context: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mailbox: Mailbox
) -> None:
    with smtp_server(mailbox) as server:
        use(context, monkeypatch, server)
        for address in HOSTILE:
            caplog.clear()
            message.send(address, LETTER)
            assert mailbox.messages == [], address
            assert "refused for good" in caplog.text, address
            assert "example" not in caplog.text


def test_a_rare_address_is_the_only_one_in_the_header_as_the_wire_has_it_and_another_is_refused(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the reason is another than an encoded word that we know by its look."""
    use(context, monkeypatch, SmtpServer("127.0.0.1", 1, "none", "", ""))
    rare = ("=?utf-8?q?a@example.com", "o'a{|}~`!#$%^&*/=?+_-@example.com", f"{'a' * 64}@{'b' * 60}.example")
    for address in rare:
        header, _, _ = bytes(message.compose(address, LETTER)).partition(b"\r\n\r\n")
        to = [line for line in header.split(b"\r\n") if line.lower().startswith((b"to:", b"cc:", b"bcc:"))]
        assert to == [b"To: " + address.encode()]
    monkeypatch.setattr(message, "ENCODED_WORD", re.compile("(?!)"))
    with pytest.raises(MailRefused, match="another one in a header"):
        message.compose("=?utf-8?q?a=2Cb?=@x.example", LETTER)


def test_a_line_break_in_a_subject_is_refused(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    use(context, monkeypatch, SmtpServer("127.0.0.1", 1, "none", "", ""))
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        message.compose(TO, dataclasses.replace(LETTER, subject="a\r\nBcc: b@example.com"))
