"""Our own processes: stopped, all of them, and nobody else's; and started anew when the code changes."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.waiting import wait_until
from tools.dev import ports, processes, reloading
from tools.dev.processes import Child, DevError, Interrupted, clean_up, interrupted, noted, read_pid, spawn, stop_orphan
from tools.dev.reloading import Reloading, code_and_assets

pytestmark = pytest.mark.servers

# Starts a child of its own, as the reloader does, says so in a file, and waits for its end.
PARENT = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()", "grandchild"])
pathlib.Path("started").write_text(str(child.pid))
child.wait()
"""
DEAF = """
import pathlib, signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("started").write_text("")
while True:
    signal.pause()
"""


def test_waiting_is_told_every_few_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wait = processes.telling("waiting for the moon")
    wait()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(processes, "SAY_EVERY", 0)
    wait()
    assert capsys.readouterr().out == "  still waiting for the moon …\n"


@pytest.fixture(params=[PARENT])
def parent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Child]:
    """Start a process with a child; its pid file is `pid`."""
    process = spawn([sys.executable, "-c", request.param, "program"], cwd=tmp_path, log=tmp_path / "log")
    child = Child("program", process, tmp_path / "log", grace=0.2)
    (tmp_path / "pid").write_text(f"{process.pid}\n")
    child.wait_until((tmp_path / "started").exists, 10)
    yield child
    child.stop()


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def grandchild(folder: Path) -> int:
    return int((folder / "started").read_text())


@pytest.mark.smoke
def test_stop_ends_descendants_too(parent: Child, tmp_path: Path) -> None:
    assert os.getsid(parent.process.pid) == parent.process.pid != os.getsid(0)
    assert is_alive(grandchild(tmp_path))
    parent.stop()
    assert parent.process.returncode == -signal.SIGTERM
    assert not is_alive(grandchild(tmp_path))


@pytest.mark.parametrize("parent", [DEAF], indirect=True)
def test_stop_kills_what_does_not_heed(parent: Child) -> None:
    parent.stop()
    assert parent.process.returncode == -signal.SIGKILL


def test_an_orphan_is_stopped_also_when_its_leader_is_dead_and_no_process_of_somebody_else(
    parent: Child, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_orphan("web", tmp_path / "pid", tmp_path.parent, ["program"])
    stop_orphan("web", tmp_path / "pid", tmp_path, ["program", "another word"])
    assert parent.process.poll() is None
    assert capsys.readouterr().out == ""
    parent.process.kill()
    parent.process.wait()
    assert is_alive(grandchild(tmp_path))
    stop_orphan("web", tmp_path / "pid", tmp_path, ["grandchild"])
    assert not is_alive(grandchild(tmp_path))
    assert f"Stopping web (process {parent.process.pid})" in capsys.readouterr().out


def test_a_pid_file_without_a_process_id_names_nobody(tmp_path: Path) -> None:
    for content in ("", "not a number\n", "-1\n", "４２\n"):
        (tmp_path / "pid").write_text(content)
        assert read_pid(tmp_path / "pid") is None
    assert read_pid(tmp_path / "missing") is None


def test_what_a_killed_run_noted_is_cleaned_up(parent: Child, tmp_path: Path) -> None:
    litter = tmp_path / "litter"
    litter.touch()
    noted(replace(parent, litter=[litter, tmp_path / "never made"]), tmp_path / "pid")
    assert read_pid(tmp_path / "pid") == parent.process.pid
    clean_up("web", tmp_path / "pid", tmp_path, ["program"])
    assert parent.process.wait(timeout=5) == -signal.SIGTERM
    assert not litter.exists()
    assert not (tmp_path / "pid").exists()
    clean_up("web", tmp_path / "pid", tmp_path, ["program"])  # and where nothing was noted, nothing is done


def test_a_child_that_ends_while_starting_is_told_with_its_complaint(tmp_path: Path) -> None:
    words = "print('FATAL: no room'); print('goodbye'); raise SystemExit(3)"
    child = Child("program", spawn([sys.executable, "-c", words], log=tmp_path / "log"), tmp_path / "log")
    with pytest.raises(DevError) as refusal:
        child.wait_until(lambda: False, 10)
    told = f"program exited with code 3; the last that {tmp_path / 'log'} says is: FATAL: no room."
    assert refusal.value.message == told


def test_a_child_that_is_not_ready_in_time_is_stopped(parent: Child) -> None:
    with pytest.raises(DevError, match="program is not ready after 0 seconds"):
        parent.wait_until(lambda: False, 0)
    assert parent.process.returncode == -signal.SIGTERM


def test_a_request_to_end_stops_what_is_starting(parent: Child) -> None:
    interrupted.set()
    try:
        with pytest.raises(Interrupted):
            parent.wait_until(lambda: False, 10)
    finally:
        interrupted.clear()
    assert parent.process.returncode == -signal.SIGTERM


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
