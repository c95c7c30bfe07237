"""SMTP_URL: the server, its port and its encryption. tests/test_bad_values.py has what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from environment.mail import SmtpServer, smtp_server
from tests.test_bad_values import GOOD, MAIL, OWN_BUCKET

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(("mail", "is_warned"), [({}, True), (MAIL, False)])
def test_a_start_without_mail_says_what_will_not_work(mail: dict[str, str], is_warned: bool) -> None:
    env = {**GOOD, **OWN_BUCKET, **mail, "PATH": os.environ["PATH"]}
    started = subprocess.run([sys.executable, "start.py"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert started.returncode == 0
    assert started.stderr.count("\n") == is_warned
    assert ("SMTP_URL is not set: a forgotten password cannot be replaced" in started.stderr) == is_warned
