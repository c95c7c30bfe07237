"""The access log gathers what its line has, and that alone."""

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from http_server.access_log import AccessLog

CONFIGURATION = (Path(__file__).parents[2] / "gunicorn.conf.py").read_text()
ANSWER = SimpleNamespace(status="200 OK", sent=12, headers=[("X-Request-ID", "the-id")])
REQUEST = {"REQUEST_METHOD": "GET", "PATH_INFO": "/notes"}


@pytest.fixture
def log() -> AccessLog:
    return AccessLog(Config())


def test_it_gathers_each_value_of_the_line(log: AccessLog) -> None:
    """gunicorn writes "-" for what is not there."""
    gathered = log.atoms(ANSWER, None, REQUEST, timedelta(milliseconds=1234, microseconds=567))
    assert set(gathered) == set(re.findall(r"%\(([^)]+)\)s", CONFIGURATION))
    assert gathered == {"m": "GET", "U": "/notes", "s": "200", "B": 12, "M": 1234, "{x-request-id}o": "the-id"}


def test_a_request_that_could_not_be_read_has_a_line_too(log: AccessLog) -> None:
    unread = SimpleNamespace(status=None, sent=0, headers=[])
    gathered = log.atoms(unread, None, {}, timedelta())
    assert (gathered["m"], gathered["s"], gathered["{x-request-id}o"]) == (None, None, "-")
