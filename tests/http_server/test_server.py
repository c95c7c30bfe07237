"""The arbiter: a worker gets each signal, also one that comes before it has its handlers; SIGINT is SIGTERM."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.child import child
from tests.waiting import WITHIN, wait_until
from tools.dev import ports

ROOT = Path(__file__).parents[2]
SERVER = "from http_server.server import Server; Server().run()"


pytestmark = pytest.mark.servers


@contextmanager
def started(tmp_path: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """Yield the arbiter, the URL of its site, and its log."""
    [port], log = ports.find_free(1), tmp_path / "log"
    command = [sys.executable, "-c", SERVER, "-c", "python:tests.http_server.site", "-b", f"127.0.0.1:{port}"]
    given = {**os.environ, "GUNICORN_CMD_ARGS": "", **environment}
    with log.open("wb") as output, child(command, cwd=ROOT, env=given, stdout=output, stderr=output) as arbiter:
        yield arbiter, f"http://127.0.0.1:{port}/", log


def test_a_worker_heeds_a_signal_that_came_before_its_handlers(tmp_path: Path) -> None:
    """It would be in the queue of an arbiter that the worker is not, and the worker killed when the time is over."""
    with started(tmp_path, SIGNALS_AT_BIRTH="SIGTERM SIGINT") as (arbiter, url, log):
        wait_until(lambda: log.read_text().count("Booting worker") == 3, "others take their place")
        *ended, last = map(int, re.findall(r"Booting worker with pid: (\d+)", log.read_text()))
        for worker in ended:
            assert not psutil.pid_exists(worker)
            assert f"Worker exiting (pid: {worker})" in log.read_text(), "it was not killed"
        assert [worker.pid for worker in psutil.Process(arbiter.pid).children()] == [last]
        assert urllib3.request("GET", url, headers={"Connection": "close"}, timeout=WITHIN).data == b"ok"
        arbiter.send_signal(signal.SIGINT)
        assert arbiter.wait(WITHIN) == 0


def test_a_signal_for_the_arbiter_does_not_end_a_worker(tmp_path: Path) -> None:
    """A terminal that closes sends SIGHUP to the whole group: the arbiter reloads, and its workers finish requests."""
    with started(tmp_path) as (arbiter, url, log), urllib3.PoolManager(retries=False, timeout=WITHIN) as pool:
        wait_until(lambda: "Booting worker" in log.read_text(), "it works")
        [worker] = psutil.Process(arbiter.pid).children()
        for number in (signal.SIGHUP, signal.SIGUSR2):
            assert pool.request("GET", url).data == b"ok"
            worker.send_signal(number)
            assert pool.request("GET", url).data == b"ok"
            assert psutil.Process(arbiter.pid).children() == [worker]
        pool.clear()
        arbiter.send_signal(signal.SIGTERM)
        assert arbiter.wait(WITHIN) == 0
