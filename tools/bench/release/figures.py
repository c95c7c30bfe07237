"""The figures of a trial (percentiles, failures), and the criteria that our side must meet."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from tools.bench.release.trial import Trial

SLOW = 1.0  # seconds
LOCK_TIMEOUT = 0.3  # seconds: lock_timeout of our migrations
CALM = 0.25  # seconds: a baseline whose p99 is higher says nothing, because the machine is too busy
MS = 1000


class Figures(NamedTuple):
    """Latencies in seconds."""

    requests: int
    p50: float
    p99: float
    max: float
    slow: int  # longer than SLOW
    failed: int
    duration: float | None  # seconds of the migration, with the start of `flask`
    exit_code: int | None


class Criterion(NamedTuple):
    promise: str
    measured: str
    holds: bool


def figures(trial: Trial) -> Figures:
    latencies = sorted(answer.latency for answer in trial.answers)
    return Figures(
        len(latencies),
        percentile(latencies, 50),
        percentile(latencies, 99),
        latencies[-1],
        sum(latency > SLOW for latency in latencies),
        sum(answer.is_failed for answer in trial.answers),
        trial.migration[1] - trial.migration[0] if trial.migration else None,
        trial.exit_code,
    )


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Nearest-rank percentile of values in ascending order."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def criteria(baseline: Trial, ours: Trial) -> list[Criterion]:
    """The criteria of a scenario. In all of them, no request may fail and no write may be lost."""
    before, after = figures(baseline), figures(ours)
    own = CRITERIA[ours.scenario]
    common = [
        at_most("the baseline's p99, without which nothing can be told", before.p99, CALM),
        Criterion("the migration ends with 0", f"{after.exit_code}", after.exit_code == 0),
        Criterion("no request fails", f"{after.failed} of {after.requests}", after.failed == 0),
        Criterion("what was answered with success is stored", f"{len(ours.lost)} missing", not ours.lost),
    ]
    return common + own(before, after, ours)


def add_column(before: Figures, after: Figures, ours: Trial) -> list[Criterion]:
    bound = before.max + LOCK_TIMEOUT + 0.25
    return [
        Criterion("no request takes over 1 s", f"{after.slow}", after.slow == 0),
        at_most("the slowest request, against the baseline's + 300 ms + 250 ms", after.max, bound),
    ]


def backfill(before: Figures, after: Figures, ours: Trial) -> list[Criterion]:
    return [
        at_most("p99, against 3 × the baseline's", after.p99, 3 * before.p99),
        Criterion("no row without a value", f"{ours.nulls} rows", ours.nulls == 0),
    ]


def index(before: Figures, after: Figures, ours: Trial) -> list[Criterion]:
    bound = before.max + 0.1
    over = sum(answer.latency > bound for answer in ours.answers)
    slowest = at_most("the slowest request, against the baseline's + 100 ms", after.max, bound)
    return [slowest._replace(measured=f"{slowest.measured}, {over} requests over it")]


def not_null(before: Figures, after: Figures, ours: Trial) -> list[Criterion]:
    assert ours.seen  # noqa: S101 - this scenario is watched
    return [at_most("no ACCESS EXCLUSIVE lock for over 50 ms", ours.seen.lock_at_most, 0.05)]


def dual_write(before: Figures, after: Figures, ours: Trial) -> list[Criterion]:
    return [
        Criterion("no request takes over 1 s", f"{after.slow}", after.slow == 0),
        Criterion("no row with a wrong value", f"{ours.wrong} rows", ours.wrong == 0),
    ]


CRITERIA = {
    "add-column": add_column,
    "backfill": backfill,
    "index": index,
    "not-null": not_null,
    **dict.fromkeys(("type", "computed", "key"), dual_write),
}


def at_most(promise: str, value: float, bound: float) -> Criterion:
    return Criterion(promise, f"{value * MS:.0f} ms of {bound * MS:.0f} ms", value <= bound)
