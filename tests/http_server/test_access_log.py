"""The access line: what the server and the application know of a request, in one line that can be parsed."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from app import tracing
from app.web.logs import LogfmtFormatter
from http_server.access_log import SPAN, AccessLog
from tests.logfmt import parse

ANSWER = SimpleNamespace(status="200 OK", sent=12, headers=[])
SPAN_OF_NOTE = tracing.Span("web", "the-id", "/notes/<id:note_id>", 7, 3, 0.00123, 0.25)


def logged(caplog: pytest.LogCaptureFixture, answer: Any, wsgi: dict[str, Any]) -> dict[str, str]:
    config = Config()
    config.set("accesslog", "-")
    log = AccessLog(config)
    log.access_log.propagate = True
    with caplog.at_level("INFO", "gunicorn.access"):
        log.access(answer, None, wsgi, timedelta(milliseconds=1234, microseconds=567))
    return parse(LogfmtFormatter().format(caplog.records[-1]))


def test_it_is_the_metric(caplog: pytest.LogCaptureFixture) -> None:
    assert tracing.IN_WSGI == SPAN
    found = logged(caplog, ANSWER, {"REQUEST_METHOD": "GET", "PATH_INFO": "/notes/8", SPAN: SPAN_OF_NOTE})
    assert list(found.items()) == [
        ("at", "request"),
        ("method", "GET"),
        ("path", "/notes/8"),
        ("route", "/notes/<id:note_id>"),
        ("status", "200"),
        ("account", "7"),
        ("bytes", "12"),
        ("ms", "1234"),
        ("sql_count", "3"),
        ("sql_ms", "1.2"),
        ("bucket_ms", "250.0"),
        ("request_id", "the-id"),
    ]


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
    found = logged(caplog, ANSWER, {"REQUEST_METHOD": "GET", "PATH_INFO": f"/s/{'x' * 22}"})
    assert found["path"] == "/s/(not logged)"
