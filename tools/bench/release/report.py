"""Report: a Markdown table for the terminal, and the raw figures as JSON."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.bench.release.figures import MS, criteria, figures
from tools.bench.release.trial import ORDER, SCENARIOS, Trial

HEAD = ("", "requests", "p50 ms", "p99 ms", "max ms", "> 1 s", "failed", "lost", "migration s", "exit")


def by_side(trials: Sequence[Trial], scenario: str) -> dict[str, Trial]:
    """side: trial, always in the same order."""
    ordered = sorted(trials, key=lambda trial: ORDER.index(trial.side))
    return {trial.side: trial for trial in ordered if trial.scenario == scenario}


def table(trials: Sequence[Trial]) -> Iterator[str]:
    """Markdown: for each scenario the sides, the ratio of naive to ours, and the criteria."""
    for scenario in SCENARIOS:
        sides = by_side(trials, scenario.name)
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


def markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for number, cells in enumerate(rows):
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        yield f"| {' | '.join([first, *rest])} |"
        if number == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


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


def raw(conditions: dict[str, Any], trials: Sequence[Trial]) -> dict[str, Any]:
    """Everything that was measured. A request is [due s, latency ms, status, kind]."""
    return {"conditions": conditions, "trials": [trial_as_json(trial) for trial in trials]}


def trial_as_json(trial: Trial) -> dict[str, Any]:
    answers = [[round(a.due, 3), round(a.latency * MS, 2), a.status, a.kind] for a in trial.answers]
    return {
        "scenario": trial.scenario,
        "side": trial.side,
        "window": trial.window,
        "others": trial.others,
        "figures": figures(trial)._asdict(),
        "migration": trial.migration,
        "lost": trial.lost,
        "rows": trial.rows,
        "nulls": trial.nulls,
        "wrong": trial.wrong,
        "watch": trial.seen._asdict() if trial.seen else None,
        "log": trial.log.splitlines()[-20:],
        "requests": answers,
    }


def write_json(path: Path, conditions: dict[str, Any], trials: Sequence[Trial]) -> None:
    path.write_text(json.dumps(raw(conditions, trials), separators=(",", ":")) + "\n")
