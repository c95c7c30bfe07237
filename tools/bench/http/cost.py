"""What a request costs: CPU seconds of a group of processes, and the memory of a worker."""

import psutil

from tools.bench.workers import pss


def cpu_seconds(pid: int) -> float:
    """Of a process, its descendants, and those of them that have ended; all threads."""
    while True:
        try:
            first = psutil.Process(pid)
            return sum(sum(process.cpu_times()[:4]) for process in (first, *first.children(recursive=True)))
        except psutil.NoSuchProcess:  # a child ended while we counted
            if not psutil.pid_exists(pid):
                raise


def megabytes_a_worker(pid: int, workers: int) -> float:
    """PSS of the web processes below `pid`: shared pages count in parts. Helpers that are smaller do not count."""
    sizes = sorted(pss(child.pid) for child in psutil.Process(pid).children(recursive=True))
    return sum(sizes[-workers:]) / workers / 1024
