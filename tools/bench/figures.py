"""Figures of measurements: percentiles, medians with their spread, CPU time and memory of processes, and a table."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

import psutil

MS = 1000


class Spread(NamedTuple):
    """The median of some values, and their quartiles; of fewer than four the lowest and the highest."""

    median: float
    low: float
    high: float

    def shown(self, digits: int = 2) -> str:
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    if len(ordered) < 4:
        return Spread(statistics.median(ordered), ordered[0], ordered[-1])
    low, median, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return Spread(median, low, high)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile of values in ascending order."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def seconds(action: Callable[[], object]) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, its descendants, and those of them that have ended."""
    while True:
        try:
            first = psutil.Process(pid)
            return sum(sum(process.cpu_times()[:4]) for process in (first, *first.children(recursive=True)))
        except psutil.NoSuchProcess:  # a child ended while we counted
            if not psutil.pid_exists(pid):
                raise


def megabytes_a_worker(pid: int, workers: int) -> float:
    """Return the mean PSS of the web processes below `pid`: shared pages count in parts, and smaller helpers do not."""
    sizes = sorted(_pss(child.pid) for child in psutil.Process(pid).children(recursive=True))
    return sum(sizes[-workers:]) / workers / 1024


def _pss(pid: int) -> int:
    """Return KiB, from Linux's /proc."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(lines["Pss"].split()[0])


def markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, whose first row is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, cells in enumerate(rows):
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield f"| {' | '.join([first, *rest])} |"
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"
