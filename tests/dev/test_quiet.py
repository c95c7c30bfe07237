"""The log of development: requests that a developer made, and none of what every page and every start repeats."""

import logging

import pytest

from app.dev.commands import is_worth_a_line


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("werkzeug", logging.INFO, "", 0, message, args, None)


def request(line: str, status: str) -> logging.LogRecord:
    return record('127.0.0.1 - - [22/Nov/2026 10:00:00] "%s" %s %s', line, status, "-")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /notes HTTP/1.1", "200"),
        ("POST /notes HTTP/1.1", "302"),
        ("GET /static/css/gone.css HTTP/1.1", "404"),
        ("GET /readyz HTTP/1.1", "503"),
        ("GET /notes?next=/static/ HTTP/1.1", "200"),
    ],
)
def test_a_request_is_a_line(line: str, status: str) -> None:
    assert is_worth_a_line(request(line, status))


@pytest.mark.parametrize("status", ["200", "304"])
@pytest.mark.parametrize("line", ["GET /static/css/base.0123abcd.css HTTP/1.1", "\x1b[36mGET /readyz HTTP/1.0\x1b[0m"])
def test_a_static_file_and_a_health_check_are_not(line: str, status: str) -> None:
    assert not is_worth_a_line(request(line, status))


def test_what_the_tools_say_at_each_start_is_not() -> None:
    assert not is_worth_a_line(record("Context impl %s.", "PostgresqlImpl"))
    assert not is_worth_a_line(record(" * Debugger PIN: %s", "123-456-789"))
    assert is_worth_a_line(record("Running upgrade %s -> %s", "0001", "0002"))
    assert is_worth_a_line(record(" * Debugger pin code: %s", "123-456-789"))
