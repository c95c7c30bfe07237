"""Each event is logged as one line with the request id and without user data."""

import logging
import sys

import pytest
from flask import Flask
from psycopg2.errors import UniqueViolation

from app.web.logfmt import LONGEST_LINE
from app.web.logs import LogfmtFormatter
from tests.logfmt import parse
from tests.visitor import Visitor


def line(message: str, *arguments: object, name: str = "app", error: Exception | None = None) -> str:
    info = None
    if error is not None:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    return LogfmtFormatter().format(logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, info))


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\u2028two", "one\x00two", "one\x85two", "\x1b[31mred"])
def test_line_breaks_and_control_characters_are_escaped(text: str) -> None:
    written = line("asked for %s", text)
    assert len(written.splitlines()) == 1
    assert written.isprintable()


def test_a_traceback_is_one_line() -> None:
    written = line("failed", error=ValueError("wrong"))
    assert "ValueError: wrong" in written
    assert len(written.splitlines()) == 1


def test_an_exception_is_named_in_a_field_and_ends_its_traceback() -> None:
    written = parse(line("failed", error=ValueError("first\nlast of a@b.c")))
    assert written["error"] == "ValueError: last of (not logged)"
    assert written["msg"].startswith("failed\nTraceback")
    assert written["msg"].endswith("last of (not logged)")


@pytest.mark.parametrize("letter", ["x", "한"])
def test_of_a_long_line_the_end_is_kept_and_a_platform_does_not_split_it(letter: str) -> None:
    """In Korean letters it would be three times as long as in Latin ones."""
    written = line("of %s", letter * 50_000, error=ValueError(f"{letter * 50_000} the end"))
    assert len(written.encode()) <= LONGEST_LINE
    read = parse(written)
    assert read["error"].startswith("ValueError: ")
    assert read["msg"].startswith(f"of {letter}")
    assert read["msg"].endswith(f"{letter} the end")


def test_row_values_in_a_postgres_error_are_not_logged() -> None:
    written = line("failed", error=UniqueViolation("duplicate key\nDETAIL:  Key (email)=(a@b.c) already exists.\n"))
    assert "a@b.c" not in written
    assert "duplicate key" in written


def test_a_valid_request_id_is_returned_and_logged(app: Flask, client: Visitor) -> None:
    given = "0123456789-abcdef-0123456789"
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    with app.test_request_context(headers={"X-Request-ID": given}):
        app.preprocess_request()
        assert f"request_id={given} " in line("something")


@pytest.mark.parametrize("given", ["", "short", "x" * 201, "0123456789 0123456789", '0123456789"0123456789', "é" * 30])
def test_an_invalid_request_id_is_replaced(client: Visitor, given: str) -> None:
    echoed = client.get("/healthz", headers={"X-Request-ID": given.encode().decode("latin-1")}).headers["X-Request-ID"]
    assert echoed != given
    assert len(echoed) == 32


@pytest.mark.parametrize("path", ["/new-password/", "/confirm-email/", "/new-email/"])
@pytest.mark.parametrize("logger", ["gunicorn.access", "gunicorn.error", "werkzeug", "app"])
def test_the_token_of_a_mailed_link_is_not_logged(path: str, logger: str) -> None:
    """Whoever reads the log could use it before the reader does."""
    logged = line(f"GET {path}Zx-9_{'a' * 38} 200", name=logger)
    assert f"GET {path}(not logged) 200" in logged
    assert "Zx-9_" not in logged


def test_development_prints_the_link_of_a_mail() -> None:
    link = f"http://127.0.0.1:5000/new-password/{'a' * 43}"
    assert link in line("mail: instance/mail/1.eml %s", link, name="app.mail")
