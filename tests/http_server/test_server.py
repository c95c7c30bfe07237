"""The arbiter and its workers: each signal has its effect, SIGINT that of SIGTERM; and where heartbeats are noted."""

import os
import re
import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import urllib3

from http_server.refusals import Spool, SpoolFailed
from http_server.worker import heartbeat_folder
from tests.child import child
from tests.waiting import WITHIN, wait_until
from tools.dev import ports

ROOT = Path(__file__).parents[2]
SERVER = "from http_server.server import Server; Server().run()"


@pytest.mark.servers
def test_a_worker_heeds_a_signal_that_came_before_its_handlers_and_none_that_is_for_the_arbiter(tmp_path: Path) -> None:
    """The first would be in the queue of an arbiter that the worker is not, and the worker killed when time is over.

    A terminal that closes sends SIGHUP to the whole group: the arbiter reloads, and its workers finish requests.
    """
    [port], log = ports.find_free(1), tmp_path / "log"
    command = [sys.executable, "-c", SERVER, "-c", "python:tests.http_server.site", "-b", f"127.0.0.1:{port}"]
    given = {**os.environ, "GUNICORN_CMD_ARGS": "", "SIGNALS_AT_BIRTH": "SIGTERM SIGINT"}
    with (
        log.open("wb") as output,
        child(command, cwd=ROOT, env=given, stdout=output, stderr=output) as arbiter,
        urllib3.PoolManager(retries=False, timeout=WITHIN) as pool,
    ):
        wait_until(lambda: log.read_text().count("Booting worker") == 3, "others take their place")
        *ended, last = map(int, re.findall(r"Booting worker with pid: (\d+)", log.read_text()))
        for pid in ended:
            assert not psutil.pid_exists(pid)
            assert f"Worker exiting (pid: {pid})" in log.read_text(), "it was not killed"
        [worker] = psutil.Process(arbiter.pid).children()
        assert worker.pid == last
        for number in (signal.SIGHUP, signal.SIGUSR2):
            assert pool.request("GET", f"http://127.0.0.1:{port}/").data == b"ok"
            worker.send_signal(number)
            assert pool.request("GET", f"http://127.0.0.1:{port}/").data == b"ok"
            assert psutil.Process(arbiter.pid).children() == [worker]
        pool.clear()
        arbiter.send_signal(signal.SIGINT)
        assert arbiter.wait(WITHIN) == 0


def test_the_heartbeat_files_are_in_memory(tmp_path: Path) -> None:
    assert heartbeat_folder(str(tmp_path)) == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unusable", ["/nowhere", __file__, "/proc"])
def test_without_memory_they_are_with_the_temporary_files(unusable: str) -> None:
    assert heartbeat_folder(unusable) == tempfile.gettempdir()


def test_without_any_folder_the_start_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with closing(Spool(3)) as spool, pytest.raises(SpoolFailed):
        spool.write(b"1234")
    refusal = r"^Error: /dev/null, TMPDIR and /tmp take no file \(.*\); mount a tmpfs"
    with pytest.raises(SystemExit, match=refusal) as exit:
        heartbeat_folder("/dev/null")
    assert "\n" not in str(exit.value)
