"""Compute the figures of a trial (percentiles, failures), judge them by the criteria of our side, and print a table."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tools.bench.figures import MS, markdown, percentile
from tools.bench.release.trial import ORDER, SCENARIOS, Trial

SLOW = 1.0  # seconds
LOCK_TIMEOUT = 0.3  # seconds: lock_timeout of our migrations
CALM = 0.25  # seconds: a baseline whose p99 is higher says nothing, because the machine is too busy
HEAD = ("", "requests", "p50 ms", "p99 ms", "max ms", "> 1 s", "failed", "lost", "migration s", "exit")


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


def criteria(baseline: Trial, ours: Trial) -> list[Criterion]:
    """Return the criteria of a scenario. In all of them, no request may fail and no write may be lost."""
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


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """Yield Markdown: for each scenario the sides, the ratio of naive to ours, and the criteria."""
    for scenario in SCENARIOS:
        ordered = sorted(trials, key=lambda trial: ORDER.index(trial.side))
        sides = {trial.side: trial for trial in ordered if trial.scenario == scenario.name}
        if not sides:
            continue
        yield f"\n### {scenario.title}\n"
        rows = [HEAD, *(row(trial) for trial in sides.values()), ratios(sides["naive"], sides["ours"])]
        yield from markdown(rows)
        yield ""
        yield from details(sides)
        for criterion in criteria(sides["baseline"], sides["ours"]):
            verdict = "holds" if criterion.holds else "FALLS SHORT"
            yield f"- {verdict}: {criterion.promise} ({criterion.measured})"


def row(trial: Trial) -> tuple[str, ...]:
    measured = figures(trial)
    return (
        trial.side,
        str(measured.requests),
        *(f"{seconds * MS:.1f}" for seconds in (measured.p50, measured.p99, measured.max)),
        str(measured.slow),
        str(measured.failed),
        str(len(trial.lost)),
        "" if measured.duration is None else f"{measured.duration:.1f}",
        "" if measured.exit_code is None else str(measured.exit_code),
    )


def ratios(naive: Trial, ours: Trial) -> tuple[str, ...]:
    theirs, own = figures(naive), figures(ours)
    latencies = (f"{a / b:.1f} ×" for a, b in ((theirs.p50, own.p50), (theirs.p99, own.p99), (theirs.max, own.max)))
    slow = f"{theirs.slow} : {own.slow}"
    duration = f"{(theirs.duration or 0) / (own.duration or 1):.2f} ×"
    return ("naive / ours", "", *latencies, slow, f"{theirs.failed} : {own.failed}", "", duration, "")


def details(sides: dict[str, Trial]) -> Iterator[str]:
    for side, trial in sides.items():
        if trial.nulls is not None:
            yield f"- {side}: {trial.nulls} of {trial.rows} rows are left without a value"
        if trial.wrong is not None:
            yield f"- {side}: {trial.wrong} of {trial.rows} rows have a wrong value"
        if trial.seen:
            seen = trial.seen
            yield (
                f"- {side}: ACCESS EXCLUSIVE held for {seen.lock_held * MS:.0f} to {seen.lock_at_most * MS:.0f} ms; "
                f"one row waited {seen.longest_wait * MS:.0f} ms at most ({seen.probes} probes); "
                f"longest time between two looks {seen.longest_gap * MS:.0f} ms"
            )
