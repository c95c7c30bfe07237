"""Each event is one line of logfmt, with the request id, what the request has cost, and no user data or secret link."""

import fcntl
import inspect
import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from flask import Flask, request_finished
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.routing import Rule

from app import storage, tracing
from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.sharing import share_note
from app.web import logs
from app.web.logs import LONGEST_LINE, LogfmtFormatter, StdoutHandler
from app.web.marks import mark_of
from tests.conftest import PASSWORD
from tests.logfmt import parse
from tests.samples import samples
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


def test_a_full_pipe_is_not_waited_for_and_the_next_line_that_fits_is_whole(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PATIENCE", 50)
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    handler = StdoutHandler(writer)
    write(handler, *["x" * 9000] * 100)
    written = read(reader)
    write(handler, "the end")
    written += read(reader)
    assert written.endswith(b"\nthe end\n")
    assert {len(line) for line in written.splitlines()[:-2]} <= {9000}
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
def test_closed_streams_cost_nothing_and_are_no_connection() -> None:
    """The next file or socket would have their number."""
    ended = run({}, "<&- >&-")
    assert (ended.returncode, ended.stdout, ended.stderr.decode()) == (0, b"", "한글 é\n")


TEXTS = [
    *("", " ", '"', "\\", '\\"', "a b", "a=b", "one\ntwo\r\n\ttab"),
    *("\x1b[31mred", "줄\u2028바꿈", "\u202eright to left", "\x85"),
]


def test_a_value_is_read_as_it_was_written_and_is_printable() -> None:
    for value in [*TEXTS, *(f"a{value}" * 9 + "\\" for value in TEXTS), "word", "0.5", "한글"]:
        written = logs.line({"at": "test", "msg": value, "ms": 1})
        assert parse(written) == {"at": "test", "msg": value, "ms": "1"}
        assert written.isprintable()
    assert logs.line({"msg": "\udc80"}) == 'msg="\\udc80"'  # half a character, which no stream takes


def test_numbers_words_and_what_is_absent_have_no_quotes() -> None:
    assert logs.line({"a": 1, "b": 2.345, "c": None, "d": "GET", "e": "/x"}) == 'a=1 b=2.3 c=- d=GET e="/x"'


@pytest.mark.parametrize("letter", ["x", "한", "\n", "\u2028", "𝔘"])
def test_a_long_value_loses_its_middle_and_the_line_keeps_within_the_bytes(letter: str) -> None:
    written = logs.line({"at": "test", "msg": f"begin{letter * 50_000}the end", "request_id": "r" * 200})
    assert LONGEST_LINE - 100 < len(written.encode()) <= LONGEST_LINE
    read = parse(written)
    assert read["msg"].startswith(f"begin{letter}")
    assert read["msg"].endswith(f"{letter}the end")
    assert (read["at"], read["request_id"]) == ("test", "r" * 200)


def test_the_bound_is_kept_to_the_byte_and_several_long_values_are_all_cut() -> None:
    for length in range(8_980, 9_010):
        written = logs.line({"msg": "x " * (length // 2)})
        assert len(written.encode()) <= LONGEST_LINE
        parse(written)
    written = logs.line({"a": "한 " * 9_000, "b": "é " * 9_000, "c": "last"})
    assert len(written.encode()) <= LONGEST_LINE
    assert parse(written)["c"] == "last"


@pytest.fixture
def spans(app: Flask) -> Iterator[list[tracing.Span]]:
    """Collect the spans of the requests that were answered."""
    seen: list[tracing.Span] = []

    def note(_sender: Flask, **_: object) -> None:
        span = tracing.current()
        assert span
        seen.append(span)

    request_finished.connect(note, app)
    yield seen
    request_finished.disconnect(note, app)


@pytest.fixture
def span() -> Iterator[tracing.Span]:
    span = tracing.Span(tracing.WEB, "the-id", "/notes/<id:note_id>")
    tracing.begin(span)
    yield span
    tracing.end()


def test_a_page_has_its_rule_its_reader_and_its_statements(
    signed_in: Visitor, alice: User, statements: list[str], spans: list[tracing.Span]
) -> None:
    note_id = service.create_note(alice.id, "a", "b")
    statements.clear()
    signed_in.get(f"/notes/{note_id}", headers={"X-Request-ID": "i" * 32})
    span = spans[-1]
    assert (span.name, span.account, span.request_id) == ("/notes/<id:note_id>", alice.id, "i" * 32)
    assert span.statements >= len(statements) >= 2  # and the savepoints of the test
    assert 0 < span.sql_seconds < 60
    assert span.bucket_seconds == 0
    assert tracing.current() is None  # it ends with the request


def test_a_stranger_has_no_account_before_signing_in_and_a_path_without_a_page_no_rule(
    client: Visitor, alice: User, spans: list[tracing.Span]
) -> None:
    for _ in range(2):  # before the first one the schema is asked for
        client.get("/nothing")
    assert (spans[-1].name, spans[-1].account, spans[-1].statements) == (None, None, 0)
    client.submit("/sign-in", email=alice.email, password=PASSWORD)
    assert (spans[-1].name, spans[-1].account) == ("/sign-in", alice.id)


def test_a_database_session_has_as_much_of_the_request_in_its_name_as_postgresql_keeps() -> None:
    for process, request_id, name in (
        ("web", "id", "semicircle-web id"),
        ("worker", "i" * 99, "semicircle-worker " + "i" * 45),
    ):
        tracing.begin(tracing.Span(process, request_id))
        assert tracing.session_name() == name
    tracing.begin(tracing.Span("worker", None))
    assert tracing.session_name() is None


def test_a_commit_is_sql_time_and_no_statement(app: Flask, span: tracing.Span) -> None:
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        before = span.statements, span.sql_seconds
        connection.commit()
    assert span.statements == before[0]
    assert span.sql_seconds > before[1]


def test_the_wait_for_the_bucket_is_counted(app: Flask, span: tracing.Span) -> None:
    with app.app_context():
        assert storage.get("nothing/of/that/name") is None
    assert span.bucket_seconds > 0


def test_a_slow_statement_or_one_that_fails_is_logged_without_its_values(
    app: Flask, span: tracing.Span, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.session.connection().connection.dbapi_connection, "slow_seconds", 0.0)
    caplog.set_level(logging.WARNING, "app.database.connection")
    db.session.execute(text("SELECT\n  :typed AS typed"), {"typed": "hidden"})
    found = parse(LogfmtFormatter().format(caplog.records[-1]))
    assert int(found.pop("ms")) >= 0
    assert found == {
        "level": "warning",
        "logger": "app.database.connection",
        "request_id": "the-id",
        "at": "slow_statement",
        "rows": "1",
        "route": "/notes/<id:note_id>",
        "sql": "SELECT %(typed)s AS typed",
    }
    with pytest.raises(DBAPIError):
        db.session.execute(text("SELECT 1 / 0"))
    assert "rows=-1" in LogfmtFormatter().format(caplog.records[-1])


def test_a_fast_one_is_not(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context():
        db.session.execute(text("SELECT 1"))
    assert not caplog.records


TOKEN = "Zx-9_" + "a" * 17
DRAWN = {str: TOKEN, uuid.UUID: uuid.UUID(int=2**127 + 1)}


def variables(app: Flask, rule: Rule) -> dict[str, type]:
    """Return the types of the variables of a path, as its view names them."""
    parameters = inspect.signature(app.view_functions[rule.endpoint]).parameters
    return {name: parameters[name].annotation for name in rule.arguments}


def paths(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Yield (method, secret, path) of every rule with a secret in it: with a variable that is no number."""
    for rule in app.url_map.iter_rules():
        values = {name: DRAWN.get(kind, 1) for name, kind in variables(app, rule).items()}
        for secret in set(values.values()) - {1}:
            method = "GET" if "GET" in (rule.methods or ()) else min({*(rule.methods or ())} - {"OPTIONS"})
            yield method, str(secret), app.url_map.bind("localhost").build(rule.endpoint, values, method)


def test_a_page_with_a_number_in_its_path_asks_who_is_there(app: Flask) -> None:
    with app.app_context():
        numbered = [rule.endpoint for rule in app.url_map.iter_rules() if int in variables(app, rule).values()]
        assert numbered
        assert [endpoint for endpoint in numbered if mark_of(endpoint, "is_public")] == []


def test_no_search_engine_lists_one_and_other_pages_say_nothing(app: Flask, client: Visitor, alice: User) -> None:
    shared = f"/s/{share_note(alice.id, service.create_note(alice.id, 'n', ''))}"
    ids = {each.path: each.own(alice) for each in samples()}
    for each in samples():
        db.session.execute(text(each.share_all))
    counted = [path.format_map(ids[each.path]) for each in samples() for path in each.pages if "{" in path]
    asked = [(method, path) for method, _, path in paths(app)]
    assert len(asked) >= 7
    for method, path in (*asked, *(("GET", path) for path in (shared, *counted))):
        assert client.open(path, method=method).headers.getlist("X-Robots-Tag") == ["noindex, nofollow"], path
    for path in ("/", "/notes", "/nothing", "/s"):
        assert "X-Robots-Tag" not in client.get(path).headers, path


def test_no_log_has_the_secret_but_what_only_looks_like_one(app: Flask) -> None:
    """The paths of files in a traceback, above all."""
    for logger, (method, secret, path) in product(("gunicorn.access", "gunicorn.error", "app"), paths(app)):
        logged = line(f"{method} {path} 200 /sign-in?next={path}", name=logger)
        assert (secret in logged, logged.count("(not logged)")) == (False, 2), path
    for path in ("app/notes/service.py", "/s/app.py", "/notes/new", "/sign-up"):
        assert path in line(f"File {path}")
