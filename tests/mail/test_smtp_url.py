"""SMTP_URL: the server, its port and its encryption. tests/test_bad_values.py has what is refused."""

import os

import pytest

import start
from environment.mail import SmtpServer, smtp_server
from tests.test_bad_values import GOOD, MAIL, OWN_BUCKET


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
    assert smtp_server({"SMTP_URL": url}) == server


@pytest.mark.parametrize(("mail", "lines"), [({}, 1), (MAIL, 0)])
def test_a_start_without_mail_says_what_will_not_work(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], mail: dict[str, str], lines: int
) -> None:
    monkeypatch.setattr(os, "environ", {**GOOD, **OWN_BUCKET, **mail})
    start.check_settings()
    told = capfd.readouterr().err
    assert told.count("\n") == told.count("SMTP_URL is not set: a forgotten password cannot be replaced") == lines
