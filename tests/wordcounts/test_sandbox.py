"""The sandbox: a hostile page is over a limit on time or memory, and takes nothing but its own process with it."""

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from app.wordcounts.analysis import sandbox
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import MAX_BYTES
from tests.waiting import wait_until
from tests.wordcounts.hostile_answers import DEEP, MISNESTED
from tests.wordcounts.page_server import refusal

ROOT = Path(__file__).parents[2]
PAGES = Path(__file__).parent / "pages"

# A sandbox of two seconds in place of ten, in a process that nobody will kill.
WITHOUT_A_WORKER = """
from multiprocessing import Pipe
from app.wordcounts.analysis import sandbox
from tests.wordcounts.hostile_answers import DEEP
sandbox.CPU_SECONDS = 2
sandbox._run(Pipe()[1], DEEP, True)
"""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_it_reads_a_page_of_max_bytes() -> None:
    page = "".join(file.read_text() for file in sorted(PAGES.glob("*.html")))
    largest = (page * (MAX_BYTES // len(page.encode()) + 1)).encode()[:MAX_BYTES].decode(errors="ignore")
    assert sandbox.read(largest, is_html=True)[1].total_words > 100_000


def test_a_page_that_takes_too_long_or_too_much_memory_is_too_complex() -> None:
    for page, seconds in ((DEEP, 1), (MISNESTED, sandbox.SECONDS)):
        failed = refusal(sandbox.read, page, is_html=True, seconds=seconds)
        assert (failed.code, failed.is_transient) == (Failure.TOO_COMPLEX, False), page[:10]


@pytest.mark.servers
def test_a_sandbox_without_a_worker_ends_by_itself() -> None:
    """As when its worker was killed: the kernel ends it by its CPU time."""
    ended = subprocess.run([sys.executable, "-c", WITHOUT_A_WORKER], cwd=ROOT, timeout=60)
    assert ended.returncode == -signal.SIGKILL


def servers() -> list[psutil.Process]:
    """Find the fork server; there is at most one."""
    return [child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline())]


def children() -> list[psutil.Process]:
    [server] = servers()
    return server.children()


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_ctrl_c_reaches_the_sandbox_too_and_the_page_is_read_on() -> None:
    """A terminal sends SIGINT to every process. The worker finishes its job, as on SIGTERM."""
    sandbox.read("", is_html=True)  # starts the fork server
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(sandbox.read, "two words " * 400_000, is_html=False, seconds=60)
        wait_until(lambda: [child for child in children() if child.cpu_times().user > 0.1], "the sandbox reads")
        for process in [*servers(), *children()]:
            process.send_signal(signal.SIGINT)
        assert reading.result()[1].total_words == 800_000


@pytest.mark.parametrize(
    ("number", "with_its_server", "expected"),
    [
        (signal.SIGTERM, False, sandbox.SandboxTerminated),
        (signal.SIGTERM, True, sandbox.SandboxTerminated),
        (signal.SIGKILL, False, FetchFailed),
    ],
)
def test_a_terminated_sandbox_is_not_mistaken_for_a_page_that_is_too_complex(
    number: signal.Signals, with_its_server: bool, expected: type[Exception]
) -> None:
    """A platform sends SIGTERM to all processes, the fork server included. The next page is read."""
    sandbox.read("", is_html=True)  # starts the fork server
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(sandbox.read, DEEP, is_html=True)
        wait_until(lambda: [child for child in children() if child.cpu_times().user > 0.1], "the sandbox reads")
        signalled = [*servers(), *children()] if with_its_server else children()
        for process in signalled:
            process.send_signal(number)
        with pytest.raises(expected):
            reading.result()
    wait_until(lambda: all(map(has_ended, signalled)), "they have ended")  # the fork server perhaps after its child
    assert sandbox.read("<p>two words", is_html=True)[1].total_words == 2  # by a new fork server where it is gone
