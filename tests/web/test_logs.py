"""Each event is logged as one line with the request id and without user data."""

import fcntl
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from app.web import logs
from app.web.logs import LogfmtFormatter, StdoutHandler
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


def test_an_exception_is_named_in_a_field_and_ends_its_traceback() -> None:
    logged = line("failed", error=ValueError("first\nlast of a@b.c"))
    assert logged.isprintable()
    written = parse(logged)
    assert written["error"] == "ValueError: last of (not logged)"
    assert written["msg"].startswith("failed\nTraceback")
    assert written["msg"].endswith("last of (not logged)")


def test_a_valid_request_id_is_returned_and_logged(app: Flask, client: Visitor) -> None:
    given = "0123456789-abcdef-0123456789"
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    with app.test_request_context(headers={"X-Request-ID": given}):
        app.preprocess_request()
        assert f"request_id={given} " in line("something")


def test_an_invalid_request_id_is_replaced(client: Visitor) -> None:
    for given in ("", "short", "x" * 201, "0123456789 0123456789", '0123456789"0123456789', "é" * 30):
        headers = {"X-Request-ID": given.encode().decode("latin-1")}
        echoed = client.get("/healthz", headers=headers).headers["X-Request-ID"]
        assert (echoed != given, len(echoed)) == (True, 32), given


def test_development_prints_the_link_of_a_mail() -> None:
    link = f"http://127.0.0.1:5000/new-password/{'a' * 43}"
    assert link in line("mail: instance/mail/1.eml %s", link, name="app.mail.message")


def write(handler: logging.Handler, *messages: str) -> None:
    for message in messages:
        handler.handle(logging.LogRecord("app", logging.INFO, __file__, 1, "%s", (message,), None))


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1024 * 1024)
    except BlockingIOError:
        return b""


def test_lines_are_utf_8_and_half_a_letter_is_escaped() -> None:
    reader, writer = os.pipe()
    write(StdoutHandler(writer), "한글", "é", "\udcff", "\x00")
    assert read(reader) == "한글\né\n\\udcff\n\x00\n".encode()


def test_what_takes_no_line_costs_the_line_alone(capfd: pytest.CaptureFixture[str]) -> None:
    """/dev/full has no room. What is open for reading alone refuses a line as well, and so does what is closed."""
    reader, pipe = os.pipe()
    os.close(reader)  # a pipe whose reader is gone
    for descriptor in (os.open("/dev/full", os.O_RDONLY), os.open("/dev/full", os.O_WRONLY), pipe):
        handler = StdoutHandler(descriptor)
        write(handler, "one", "two")
        os.close(descriptor)
        write(handler, "three")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("length", [100, 9000])
def test_a_full_pipe_is_not_waited_for_and_the_next_line_that_fits_is_whole(
    capfd: pytest.CaptureFixture[str], length: int
) -> None:
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    handler = StdoutHandler(writer)
    write(handler, *["x" * length] * 100)
    written = read(reader)
    write(handler, "the end")
    written += read(reader)
    assert written.endswith(b"\nthe end\n")
    assert {len(line) for line in written.splitlines()[:-2]} <= {length}
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_has_stopped_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipe blocks whoever writes into it when it is full."""
    monkeypatch.setattr(logs, "PATIENCE", 50)
    reader, writer = os.pipe()
    handler = StdoutHandler(writer)
    taken = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    write(handler, *["x" * 1000] * (taken // 1000 + 20))
    kept = read(reader)
    assert kept == b"".join([b"x" * 1000 + b"\n"] * (len(kept) // 1001))
    write(handler, "on again")
    assert read(reader) == b"on again\n"


def test_a_line_that_does_not_fit_together_is_still_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    StdoutHandler(writer).handle(logging.LogRecord("app", logging.INFO, __file__, 1, "%d", ("x",), None))
    os.close(writer)
    assert read(reader) == b""
    assert "TypeError" in capfd.readouterr().err


ROOT = Path(__file__).parents[2]
IN_ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
PROGRAM = r"""
import click, logging
from app.web import logs
logs.configure("INFO")
logging.getLogger("app").info("\ud55c\uae00 \xe9")
click.echo("\ud55c\uae00 \xe9 \udcff")
click.echo("\ud55c\uae00 \xe9", err=True)
assert open("/dev/null").fileno() > 2
"""


def run(environment: dict[str, str], redirection: str) -> subprocess.CompletedProcess[bytes]:
    command = f'exec "$0" -c "$1" {redirection}'
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, PROGRAM], cwd=ROOT, env={**given, **environment}, capture_output=True
    )


@pytest.mark.servers
@pytest.mark.smoke
def test_logs_and_commands_write_utf_8_in_every_locale() -> None:
    ended = run(IN_ASCII, "")
    assert ended.stdout.decode().splitlines() == ['level=info logger=app request_id=- msg="한글 é"', "한글 é \\udcff"]
    assert (ended.returncode, ended.stderr.decode()) == (0, "한글 é\n")


@pytest.mark.servers
@pytest.mark.parametrize("redirection", ["<&- >&-", ">&- 2>&-"])
def test_closed_streams_cost_nothing_and_are_no_connection(redirection: str) -> None:
    """The next file or socket would have their number."""
    ended = run({}, redirection)
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert ended.stderr.decode() in ("한글 é\n", "")
