"""What sign-ins take of a dyno's memory: that of one password hash for each process."""

from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.live.conftest import Service

MIB = 1024 * 1024
# A hash takes 19 MiB. Each of two processes keeps that, and some for pages. Kept by each of ten threads, it is 190.
MOST = 80


def test_the_memory_of_password_hashes_does_not_stay_with_each_thread(live: Service) -> None:
    workers = psutil.Process(live.process.pid).children()
    before = own_memory(workers)
    with ThreadPoolExecutor(10) as clients:
        answers = list(clients.map(lambda number: refused_sign_in(live, number), range(60)))
    assert set(answers) == {422}
    assert own_memory(workers) - before < MOST * MIB


def refused_sign_in(live: Service, number: int) -> int:
    """The status. An unknown address costs as much as a known one."""
    return live.browser().post("/sign-in", email=f"nobody{number}@example.com", password="a wrong guess").status


def own_memory(processes: list[psutil.Process]) -> int:
    """Bytes that are shared with no other process."""
    return sum(process.memory_full_info().uss for process in processes)
