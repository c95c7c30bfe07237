"""An answer that cannot be completed is cut off, and one that can is left alone; in the log it is one line each.

With the worker and a client these are in test_worker.py.
"""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.wsgi import Response

from app import tracing
from app.web.logs import LogfmtFormatter
from http_server.access_log import SPAN, AccessLog
from http_server.answers import TooShort, watched
from http_server.refusals import ClientGone, CutOff, SpoolFailed
from tests.logfmt import parse

ID = "the-id-of-the-request"


class Body:
    """End with `error`, and fail in `close` if told so."""

    def __init__(self, *parts: bytes, error: Exception | None = None, fails: Exception | None = None) -> None:
        self.parts, self.error, self.fails = parts, error, fails
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.parts
        if self.error:
            raise self.error

    def close(self) -> None:
        self.is_closed = True
        if self.fails:
            raise self.fails


@pytest.fixture
def log() -> AccessLog:
    log = AccessLog(Config())
    log.error_log.propagate = True
    return log


def serve(log: AccessLog, body: Body, length: int | None = None, told: str = "GET 200", error: Any = None) -> bytes:
    """Return what arrives of the body. It is written as gunicorn's handle_request does it, up to an error behind the
    head. Method and status are `told`.
    """
    method, status = told.split(" ", 1)
    received = b""

    def application(wsgi: Any, start_response: Any) -> Body:
        start_response(status, [("content-LENGTH", str(length))] if length else [])
        return body

    def sendall(data: bytes) -> None:
        nonlocal received
        if error and received:
            raise error
        received += data

    socket: Any = SimpleNamespace(sendall=sendall)
    request: Any = SimpleNamespace(method=method, version=(1, 0), should_close=lambda: True)
    response = Response(request, socket, Config())
    wsgi = {"REQUEST_METHOD": method, SPAN: SimpleNamespace(request_id=ID)}
    answer = watched(application, log)(wsgi, response.start_response)
    try:
        for part in answer:
            response.write(part)
        response.close()
    finally:
        answer.close()
    return received.partition(b"\r\n\r\n")[2]


def last_line(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    return parse(LogfmtFormatter().format(caplog.records[-1]))


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ConnectionResetError("of the bucket")])
def test_an_error_behind_the_head_cuts_the_answer_off_and_is_one_line(
    log: AccessLog, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    body = Body(b"the beginning", error=error)
    with pytest.raises(CutOff):
        serve(log, body)
    assert (body.is_closed, len(caplog.records)) == (True, 1)
    line = last_line(caplog)
    assert (line["level"], line["request_id"]) == ("error", ID)
    assert line["error"].startswith(type(error).__name__)
    assert line["msg"].startswith("the answer is cut off\nTraceback")


def test_an_error_before_the_first_part_is_the_applications_and_a_client_that_is_gone_is_no_error(
    log: AccessLog, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = Body(error=RuntimeError("a bug")), Body(b"1", b"2")
    with pytest.raises(RuntimeError, match="a bug"):
        serve(log, broken)
    with pytest.raises(ClientGone):
        serve(log, whole, 100, error=ClientGone())
    assert (broken.is_closed, whole.is_closed, caplog.records) == (True, True, [])


@pytest.mark.parametrize("parts", [(), (b"",), (b"12", b"34")])
def test_an_answer_that_is_shorter_than_its_length_is_cut_off(
    log: AccessLog, caplog: pytest.LogCaptureFixture, parts: tuple[bytes, ...]
) -> None:
    with pytest.raises(CutOff if parts else TooShort):
        serve(log, Body(*parts), 5)
    assert len(caplog.records) == len(parts[:1])


def test_a_whole_answer_is_left_alone(log: AccessLog, caplog: pytest.LogCaptureFixture) -> None:
    parts = (b"", b"12345", b"67890")
    for told, body in (("GET 200", Body(*parts)), *((told, Body()) for told in ("HEAD 200", "GET 204", "GET 304"))):
        assert serve(log, body, 5, f"{told} Why") == b"".join(body.parts)[:5]
        assert (body.is_closed, caplog.records) == (True, []), told


def test_what_fails_at_the_end_is_a_line_and_the_answer_whole(log: AccessLog, caplog: pytest.LogCaptureFixture) -> None:
    assert serve(log, Body(b"12345", fails=RuntimeError("the teardown")), 5) == b"12345"
    assert len(caplog.records) == 1
    assert last_line(caplog)["msg"].startswith("the end of the request failed")


@pytest.mark.parametrize("part", [b"2", "text"])
def test_an_unwritable_part_cuts_the_answer_off(log: AccessLog, caplog: pytest.LogCaptureFixture, part: Any) -> None:
    error = SpoolFailed("no room") if part == b"2" else None
    with pytest.raises(CutOff):
        serve(log, Body(b"1", part), error=error)
    assert len(caplog.records) == 1
    assert last_line(caplog)["error"].startswith("SpoolFailed" if error else "TypeError")


ANSWER = SimpleNamespace(status="200 OK", sent=12, headers=[])
SPAN_OF_NOTE = tracing.Span("web", "the-id", "/notes/<id:note_id>", 7, 3, 0.00123, 0.25)


def logged(caplog: pytest.LogCaptureFixture, answer: Any, wsgi: dict[str, Any]) -> dict[str, str]:
    config = Config()
    config.set("accesslog", "-")
    log = AccessLog(config)
    log.access_log.propagate = True
    with caplog.at_level("INFO", "gunicorn.access"):
        log.access(answer, None, wsgi, timedelta(milliseconds=1234, microseconds=567))
    return last_line(caplog)


def test_it_is_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    assert tracing.IN_WSGI == SPAN
    found = logged(caplog, ANSWER, {"REQUEST_METHOD": "GET", "PATH_INFO": "/notes/8", SPAN: SPAN_OF_NOTE})
    assert " ".join(f"{name}={value}" for name, value in found.items()) == (
        "at=request method=GET path=/notes/8 route=/notes/<id:note_id> status=200 account=7 bytes=12 ms=1234"
        " sql_count=3 sql_ms=1.2 bucket_ms=250.0 request_id=the-id"
    )


def test_what_an_error_cuts_off_is_no_success_and_what_the_client_ends_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line is written while the error passes by."""
    for error, told, status in ((ClientGone(), 200, "200"), (OSError(), 302, "500"), (OSError(), 404, "404")):
        try:
            raise error
        except OSError:
            assert logged(caplog, SimpleNamespace(status=f"{told} Any", sent=1), {})["status"] == status


def test_a_request_that_could_not_be_read_has_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    found = logged(caplog, SimpleNamespace(status=None, sent=0, headers=[]), {})
    assert {found.pop(name) for name in ("method", "path", "route", "status", "account", "request_id")} == {"-"}
    assert found == {"at": "request", "bytes": "0", "ms": "1234", "sql_count": "0", "sql_ms": "0.0", "bucket_ms": "0.0"}


@pytest.mark.parametrize("path", ['/a" status=200', "/a\\\n at=request", "/한글\x00", "/" + "\x01" * 9000])
def test_a_path_cannot_forge_a_field(caplog: pytest.LogCaptureFixture, path: str) -> None:
    """WSGI has the bytes of a path as Latin-1."""
    found = logged(caplog, ANSWER, {"REQUEST_METHOD": "GET", "PATH_INFO": path.encode().decode("latin-1")})
    assert (found["status"], found["at"], len(found)) == ("200", "request", 12)
    assert found["path"] == path or len(path) > 9000


def test_the_token_of_a_link_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    found = logged(caplog, ANSWER, {"REQUEST_METHOD": "GET", "PATH_INFO": f"/s/{'x' * 21}7"})
    assert found["path"] == "/s/(not logged)"
