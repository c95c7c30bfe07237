"""Tables for the terminal, in Markdown. Every figure has its spread beside it: the quartiles of the rounds."""

from collections.abc import Iterator, Sequence
from typing import Any

from tools.bench.http import figures
from tools.bench.http.cost import megabytes_a_worker
from tools.bench.http.figures import Figure, Spread, Turn, of, paired
from tools.bench.http.peers import WORKERS
from tools.bench.http.sizes import LEVEL, Size
from tools.bench.http.statements import Trips
from tools.bench.http.targets import EARLIER, OURS, Target
from tools.bench.release.figures import MS
from tools.bench.release.report import markdown

NAMES = {
    OURS: "this service",
    EARLIER: "its earlier commit",
    "wsgi": "bare WSGI, one SQL",
    "django": "Django",
    "fastapi": "FastAPI + SQLAlchemy",
    "flask_tutorial": "the tutorial's Flask",
}


HEAD = ("", "requests/s", "CPU ms web", "CPU ms PostgreSQL", "p50 ms", "p99 ms", "bytes", "CPU ms load")
RATIOS = ("CPU, all", "CPU, web", "requests/s", "p50")


def written(spread: Spread, digits: int = 1) -> str:
    median, low, high = (f"{value:,.{digits}f}" for value in spread)
    return f"{median} ({low} to {high})"


def servers(turns: Sequence[Turn], names: Sequence[str], work: str) -> Iterator[str]:
    """What each target did with a piece of work, and our ratio to it in the same round."""
    yield f"\n### {work}\n"
    yield from markdown([HEAD, *(_absolute(turns, name, work) for name in names)])
    yield ""
    head = (f"{work}: ours / theirs", *RATIOS)
    yield from markdown([head, *(_relative(turns, name, work) for name in names if name != OURS)])


def _absolute(turns: Sequence[Turn], name: str, work: str) -> tuple[str, ...]:
    def cell(figure: Figure, digits: int) -> str:
        return written(of(turns, name, work, figure), digits)

    return (
        NAMES[name],
        cell(figures.rate, 0),
        cell(figures.web_cpu, 2),
        cell(figures.database_cpu, 2),
        cell(figures.p50, 1),
        cell(figures.p99, 1),
        f"{of(turns, name, work, figures.size).median:,.0f}",
        f"{of(turns, name, work, figures.load_cpu).median:.2f}",
    )


def _relative(turns: Sequence[Turn], name: str, work: str) -> tuple[str, ...]:
    compared = (figures.cpu, figures.web_cpu, figures.rate, figures.p50)
    return NAMES[name], *(written(paired(turns, (OURS, work), (name, work), figure), 2) for figure in compared)


def processes(targets: Sequence[Target], trips: dict[tuple[str, str], Trips]) -> Iterator[str]:
    yield "\n### A web process, and the statements of the list\n"
    rows: list[tuple[str, ...]] = [("", "PSS MB, fresh", "PSS MB, now", "statements", "round trips")]
    for target in targets:
        statements, round_trips = trips[target.name, "list"]
        memory = (target.megabytes, megabytes_a_worker(target.pid, WORKERS))
        cells = [f"{value:.0f}" for value in memory] + [f"{value:.1f}" for value in (statements, round_trips)]
        rows.append((NAMES[target.name], *cells))
    yield from markdown(rows)


def bytes_of_list(found: dict[str, Size]) -> Iterator[str]:
    yield "\n### HTML of the list, bytes\n"
    rows = [("", "plain", "gzip", "compressed by")]
    for name, size in found.items():
        by = "the service" if size.by_the_service else f"us, level {LEVEL}"
        rows.append((NAMES[name], f"{size.plain:,}", f"{size.compressed:,}", by))
    yield from markdown(rows)


def as_json(turn: Turn) -> dict[str, Any]:
    raw = turn._asdict()
    return raw | {"latencies": [round(MS * seconds, 2) for seconds in turn.latencies]}


def failures(turns: Sequence[Turn]) -> Iterator[str]:
    for turn in turns:
        for status, count in turn.failed.items():
            yield f"FAILED  {turn.target}, {turn.work}, round {turn.round}: {count} × {status or 'no answer'}"
