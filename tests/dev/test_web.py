"""The web of development: one socket for one server after another."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import urllib3

from app.dev import ports, reloading
from app.dev.processes import Child
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

PAGE = """
from flask import Flask

app = Flask(__name__)


@app.get("/readyz")
def page():
    return {word!r}
"""


class Site:
    """A folder of code, and its server."""

    def __init__(self, folder: Path) -> None:
        [self.port] = ports.find_free(1)
        self.folder = folder
        self.listener = ports.listen(self.port)

    def start(self, code: str) -> Child:
        (self.folder / "app.py").write_text(code)
        return reloading.start_web(self.folder, self.listener)

    def get(self) -> urllib3.BaseHTTPResponse:
        return urllib3.request("GET", f"http://127.0.0.1:{self.port}/readyz", timeout=60, retries=False)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("FLASK_APP", "app.py")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    site = Site(tmp_path)
    yield site
    site.listener.close()


def test_a_request_waits_while_the_server_starts_anew(site: Site) -> None:
    first = site.start(PAGE.format(word="first"))
    try:
        assert site.get().data == b"first"
    finally:
        first.stop()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(site.get)
        second = site.start(PAGE.format(word="second"))
        try:
            assert answer.result().data == b"second"
        finally:
            second.stop()


def test_code_that_cannot_be_imported_is_an_error_page(site: Site) -> None:
    child = site.start("this is no Python")
    try:
        answer = site.get()
        assert answer.status == 500
        assert b"SyntaxError" in answer.data
    finally:
        child.stop()


def test_the_question_is_answered_when_the_server_answers(site: Site) -> None:
    with closing(reloading.Question(site.port)) as question:
        assert not question.is_answered()
        child = site.start(PAGE.format(word="ready"))
        try:
            wait_until(question.is_answered, "the answer")
        finally:
            child.stop()
