"""The server's stdout: lines in UTF-8 whatever the locale, and no word and no failure where nobody takes them."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from app.dev import ports
from tests.child import child
from tests.waiting import WITHIN, wait_until

ROOT = Path(__file__).parents[2]
PATHS = ["/", "/한글", "/\udcff", "/broken/bug", "/"]  # one of them is no UTF-8

pytestmark = pytest.mark.servers


@contextmanager
def serving(tmp_path: Path, redirection: str, **environment: str) -> Iterator[int]:
    """Run the site, with its stdout as a shell has it, and yield the port."""
    [port] = ports.find_free(1)
    gunicorn = f"{sys.executable} -m gunicorn -c python:tests.http_server.site -b 127.0.0.1:{port}"
    command = f"exec {gunicorn} tests.http_server.site:app {redirection}"
    given = {**os.environ, "GUNICORN_CMD_ARGS": "", **environment}
    with (
        (tmp_path / "stderr").open("wb") as stderr,
        child(["/bin/sh", "-c", command], cwd=ROOT, env=given, stderr=stderr, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout
        process.stdout.close()
        wait_until(lambda: is_listening(port), "it serves")
        yield port
        wait_until(lambda: psutil.Process(process.pid).children(), "it has a worker")
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN) == 0


def is_listening(port: int) -> bool:
    try:
        return answered(port, "/") == 200
    except OSError:
        return False


def answered(port: int, path: str) -> int:
    head = f"GET {quote(path, errors='surrogateescape')} HTTP/1.0\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as client:
        client.sendall(head)
        received = client.recv(65536)
    found = re.match(rb"HTTP/1\.[01] (\d+)", received)
    return int(found[1]) if found else 0


def test_a_path_in_any_letters_has_its_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(tmp_path, f">{log}", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C") as port:
        for path in PATHS:
            answered(port, path)
    written = re.findall(r'at=request method=GET path="(/[^"]+)"', log.read_text(encoding="utf-8"))
    # Of two requests the second may have its line first: each is written when its answer has been sent.
    assert sorted(written) == sorted(path.replace("\udcff", "\ufffd") for path in PATHS if path != "/")
    assert (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize("redirection", [">/dev/full", ""])
def test_a_stdout_that_takes_nothing_costs_nothing(tmp_path: Path, redirection: str) -> None:
    """The empty one is a pipe whose reader is gone."""
    with serving(tmp_path, redirection) as port:
        assert [answered(port, path) for path in PATHS] == [200, 404, 404, 200, 200]
    assert (tmp_path / "stderr").read_text() == ""


def test_a_closed_stdout_is_no_connection(tmp_path: Path) -> None:
    """Its number would be that of the next file or socket."""
    with serving(tmp_path, "<&- >&- 2>&-") as port:
        [master] = [found for found in psutil.Process().children() if f"127.0.0.1:{port}" in found.cmdline()]
        for process in [master, *master.children()]:
            assert [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)] == [os.devnull] * 3
        assert [answered(port, path) for path in PATHS] == [200, 404, 404, 200, 200]
