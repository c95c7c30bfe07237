"""The arbiter: a worker gets each signal, also one that comes before it has its handlers; SIGINT is SIGTERM."""

import os
import re
import signal
import sys
from pathlib import Path

import psutil
import pytest
import urllib3

from app.dev import ports
from tests.child import child
from tests.waiting import WITHIN, wait_until

ROOT = Path(__file__).parents[2]
SERVER = "from http_server.server import Server; Server().run()"


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_heeds_a_signal_that_came_before_its_handlers(tmp_path: Path, number: signal.Signals) -> None:
    """It would be in the queue of an arbiter that the worker is not, and the worker killed when the time is over."""
    [port], log = ports.find_free(1), tmp_path / "log"
    command = [sys.executable, "-c", SERVER, "-c", "python:tests.http_server.site", "-b", f"127.0.0.1:{port}"]
    environment = {**os.environ, "GUNICORN_CMD_ARGS": "", "SIGNAL_AT_BIRTH": number.name}
    with log.open("wb") as output, child(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as arbiter:
        wait_until(lambda: log.read_text().count("Booting worker") == 2, "another worker takes its place")
        first, second = re.findall(r"Booting worker with pid: (\d+)", log.read_text())
        assert not psutil.pid_exists(int(first))
        assert f"Worker exiting (pid: {first})" in log.read_text(), "it was not killed"
        assert [worker.pid for worker in psutil.Process(arbiter.pid).children()] == [int(second)]
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/", headers={"Connection": "close"}, timeout=WITHIN)
        assert answer.data == b"ok"
        arbiter.send_signal(number)
        assert arbiter.wait(WITHIN) == 0


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_a_signal_for_the_arbiter_does_not_end_a_worker(tmp_path: Path, number: signal.Signals) -> None:
    """A terminal that closes sends SIGHUP to the whole group: the arbiter reloads, and its workers finish requests."""
    [port], log = ports.find_free(1), tmp_path / "log"
    command = [sys.executable, "-c", SERVER, "-c", "python:tests.http_server.site", "-b", f"127.0.0.1:{port}"]
    environment = {**os.environ, "GUNICORN_CMD_ARGS": ""}
    with log.open("wb") as output, child(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as arbiter:
        wait_until(lambda: "Booting worker" in log.read_text(), "it works")
        pool = urllib3.PoolManager()
        assert pool.request("GET", f"http://127.0.0.1:{port}/", timeout=WITHIN).data == b"ok"
        [worker] = psutil.Process(arbiter.pid).children()
        worker.send_signal(number)
        assert pool.request("GET", f"http://127.0.0.1:{port}/", timeout=WITHIN, retries=False).data == b"ok"
        assert psutil.Process(arbiter.pid).children() == [worker]
        pool.clear()
        arbiter.send_signal(signal.SIGTERM)
        assert arbiter.wait(WITHIN) == 0
