"""Figures of turns: medians, percentiles, and ratios of turns of the same round (paired), with their spread."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tools.bench.release.figures import MS, percentile


class Turn(NamedTuple):
    """What one target did in its turn. Times in seconds.

    Args:
        work: what was asked for, such as "list".
        web, database, load: CPU of the target's processes, of PostgreSQL, of the load generator.
        received: bytes of all answers, with headers.
    """

    target: str
    work: str
    round: int
    elapsed: float
    latencies: list[float]
    failed: Counter[int]
    received: int
    web: float
    database: float
    load: float

    @property
    def requests(self) -> int:
        return len(self.latencies)


class Spread(NamedTuple):
    """The median of some values, and their quartiles; of fewer than four the lowest and the highest."""

    median: float
    low: float
    high: float


Figure = Callable[[Turn], float]


def rate(turn: Turn) -> float:
    """Requests a second."""
    return turn.requests / turn.elapsed


def cpu(turn: Turn) -> float:
    """Milliseconds a request, of the web and the database."""
    return MS * (turn.web + turn.database) / turn.requests


def web_cpu(turn: Turn) -> float:
    return MS * turn.web / turn.requests


def database_cpu(turn: Turn) -> float:
    return MS * turn.database / turn.requests


def load_cpu(turn: Turn) -> float:
    return MS * turn.load / turn.requests


def size(turn: Turn) -> float:
    """Bytes a request."""
    return turn.received / turn.requests


def p50(turn: Turn) -> float:
    """Milliseconds."""
    return MS * percentile(sorted(turn.latencies), 50)


def p99(turn: Turn) -> float:
    """Milliseconds."""
    return MS * percentile(sorted(turn.latencies), 99)


def spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    if len(ordered) < 4:
        return Spread(statistics.median(ordered), ordered[0], ordered[-1])
    low, median, high = statistics.quantiles(ordered, n=4, method="inclusive")
    return Spread(median, low, high)


def of(turns: Sequence[Turn], target: str, work: str, figure: Figure) -> Spread:
    return spread([figure(turn) for turn in turns if (turn.target, turn.work) == (target, work)])


def paired(turns: Sequence[Turn], above: tuple[str, str], below: tuple[str, str], figure: Figure) -> Spread:
    """The ratio of two (target, work), of turns of the same round: a machine that slows down slows both.

    Raises:
        LookupError: they have no round in common.
    """
    tops = {turn.round: figure(turn) for turn in turns if (turn.target, turn.work) == above}
    bottoms = {turn.round: figure(turn) for turn in turns if (turn.target, turn.work) == below}
    ratios = [tops[number] / bottoms[number] for number in tops.keys() & bottoms.keys()]
    if not ratios:
        raise LookupError(f"{above} and {below} have no round in common")
    return spread(ratios)
