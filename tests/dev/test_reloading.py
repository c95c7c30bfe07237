"""Our own processes follow the code: restarted at each change, and the web keeps its socket meanwhile."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from app.dev import ports, reloading
from app.dev.processes import Child, spawn
from app.dev.reloading import Reloading, code_and_assets
from tests.waiting import wait_until

pytestmark = pytest.mark.servers


class Started:
    """Hold a folder of code, and what was started on it."""

    def __init__(self, folder: Path) -> None:
        self.code = folder / "code.py"
        self.children: list[Child] = []

    def start(self) -> Child:
        self.children.append(Child("worker", spawn([sys.executable, str(self.code)])))
        return self.children[-1]

    def write(self, code: str) -> None:
        before = self.code.stat().st_mtime_ns if self.code.exists() else 0
        wait_until(lambda: self.code.write_text(code) and self.code.stat().st_mtime_ns > before, "the clock moves on")

    def running(self) -> list[bool]:
        return [child.process.poll() is None for child in self.children]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    started.write("import time; time.sleep(60)")
    yield started
    for child in started.children:
        child.stop()


def test_at_a_change_or_a_file_that_comes_or_goes_it_is_started_anew(
    started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = Reloading(started.start, lambda: [*tmp_path.glob("*.py")])
    worker.follow()
    assert started.running() == [True]
    started.write("import time; time.sleep(61)")
    worker.follow()
    assert started.running() == [False, True]
    assert capsys.readouterr().out == f"Restarting the worker: {started.code} has changed.\n"
    (tmp_path / "more.py").touch()
    worker.follow()
    (tmp_path / "more.py").unlink()
    worker.follow()
    worker.follow()
    assert started.running() == [False, False, False, True]


def test_the_web_follows_code_configuration_static_files_and_translations(tmp_path: Path) -> None:
    watched = ["config.py", "app/notes/views.py", "app/static/css/base.css", "app/translations/ko/messages.mo"]
    for name in [*watched, "app/templates/base.html", "tests/test_notes.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {str(path.relative_to(tmp_path)) for path in code_and_assets(tmp_path)()} == set(watched)


def test_one_that_cannot_run_waits_for_a_change_and_says_so_once(
    started: Started, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started.write("raise SystemExit(1)")
    worker = Reloading(started.start, lambda: [*tmp_path.glob("*.py")])
    wait_until(lambda: started.running() == [False], "it ends")
    worker.follow()
    worker.follow()
    assert capsys.readouterr().out == "The worker has ended; it restarts when the code changes.\n"
    started.write("import time; time.sleep(60)")
    worker.follow()
    assert started.running() == [False, True]
    worker.stop()
    assert started.running() == [False, False]


PAGE = """
from flask import Flask

app = Flask(__name__)
app.add_url_rule("/readyz", view_func=lambda: {word!r})
"""


@pytest.mark.parametrize("second", ["this is no Python", PAGE.format(word="second")])
def test_a_request_waits_while_the_server_starts_anew_and_code_that_cannot_be_imported_is_an_error_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    monkeypatch.setenv("FLASK_APP", "app.py")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    [port] = ports.find_free(1)
    with ports.listen(port) as listener, ThreadPoolExecutor() as pool:

        def answer_of(code: str) -> urllib3.BaseHTTPResponse:
            (tmp_path / "app.py").write_text(code)
            answer = pool.submit(urllib3.request, "GET", f"http://127.0.0.1:{port}/readyz", timeout=60, retries=False)
            child = reloading.start_web(tmp_path, listener)
            try:
                return answer.result()
            finally:
                child.stop()

        assert answer_of(PAGE.format(word="first")).data == b"first"
        answer = answer_of(second)
        assert answer.data == b"second" or (answer.status == 500 and b"SyntaxError" in answer.data)
        assert (answer.status == 200) == ("second" in second)
