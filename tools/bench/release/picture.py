"""A scatter chart of request latency over time, as SVG: for each scenario plain Alembic above ours, on the same axes.

The colours follow the reader's light or dark mode. The background is transparent.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import ceil, log10
from typing import Any

from tools.bench.release.figures import MS, Figures, figures, percentile
from tools.bench.release.report import by_side
from tools.bench.release.revisions import SIDES
from tools.bench.release.traffic import Answer
from tools.bench.release.trial import REPORT, SCENARIOS, Scenario, Trial

WIDTH = 960
LEFT, RIGHT = 64, 12
PLOT = WIDTH - LEFT - RIGHT
PANEL = 132  # its height
GAP = 34  # above a panel, for its caption
HEADING = 44
FOOT = 36  # below the last panel, for the axis
FASTEST, SLOWEST = 0.001, 30.0  # seconds: the ends of the latency axis
TICKS = ((0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"))

STYLE = """
text { font: 13px system-ui, sans-serif }
.heading { font-size: 17px; font-weight: 600 }
.side { font-weight: 600 }
.faint { font-size: 12px }
.before { stroke-dasharray: 5 4 }
.band { opacity: .16 }
.edge, .bad { stroke-width: 1.5 }
.report { stroke-width: 4 }
.read, .write { stroke-width: 2.6; stroke-linecap: round }
"""
INK, FAINT, LINE, BAND = ("#1f2328", "#e6edf3"), ("#59636e", "#9198a1"), ("#d1d9e0", "#3d444d"), ("#bf8700", "#e3b341")
READ, WRITE, BAD = ("#0969da", "#58a6ff"), ("#8250df", "#d2a8ff"), ("#cf222e", "#ff7b72")
# CSS class: its colour in light and in dark mode. No CSS variables, because some SVG viewers do not know them.
FILLS = {"text": INK, ".faint": FAINT, ".band": BAND}
STROKES = {
    ".grid": LINE,
    ".before": FAINT,
    ".edge": BAND,
    ".report": FAINT,
    ".read": READ,
    ".write": WRITE,
    ".bad": BAD,
}


def style() -> str:
    light, dark = (
        "\n".join(
            [
                *(f"{name} {{ fill: {colours[mode]} }}" for name, colours in FILLS.items()),
                *(f"{name} {{ stroke: {colours[mode]}; fill: none }}" for name, colours in STROKES.items()),
            ]
        )
        for mode in (0, 1)
    )
    return f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def draw(trials: Sequence[Trial], conditions: dict[str, Any]) -> str:
    measured = [scenario for scenario in SCENARIOS if by_side(trials, scenario.name)]
    block = HEADING + len(SIDES) * (GAP + PANEL) + FOOT
    height = 60 + len(measured) * block
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Latency of every request while the schema changes: plain Alembic above, Semicircle below</title>",
        f"<style>{style()}</style>",
        *legend(conditions),
    ]
    for number, scenario in enumerate(measured):
        parts += draw_scenario(scenario, by_side(trials, scenario.name), 60 + number * block)
    return "\n".join([*parts, "</svg>\n"])


def legend(conditions: dict[str, Any]) -> Iterator[str]:
    yield text(
        LEFT,
        20,
        f"{conditions['notes']:,} notes, {conditions['rate']:.0f} requests a second over HTTP on "
        f"{conditions['cores']} cores; one dot is one request, placed at the time it was due",
        "faint",
    )
    for x, name, words in ((LEFT + 4, "read", "read"), (LEFT + 64, "write", "write")):
        yield f'<path class="{name}" d="M{x} 38h0"/>' + text(x + 10, 42, words, "faint")
    yield f'<path class="bad" d="{cross(LEFT + 132, 38)}"/>' + text(LEFT + 142, 42, "failed", "faint")
    yield f'<path class="before" d="M{LEFT + 198} 38h24"/>' + text(LEFT + 228, 42, "p99 without a migration", "faint")
    yield f'<path class="band" d="M{LEFT + 392} 31h24v14h-24z"/>' + text(LEFT + 422, 42, "flask db upgrade", "faint")


def draw_scenario(scenario: Scenario, sides: dict[str, Trial], top: float) -> Iterator[str]:
    seconds = max(sides[side].window for side in SIDES)
    before = percentile(sorted(answer.latency for answer in sides["baseline"].answers), 99)
    yield text(LEFT, top + 28, scenario.title, "heading")
    for number, side in enumerate(SIDES):
        panel = top + HEADING + GAP + number * (GAP + PANEL)
        yield from draw_panel(sides[side], panel, seconds, before)
        if scenario.behind_report:
            yield f'<path class="report" d="M{x_of(0, seconds)} {panel + 4}H{x_of(REPORT, seconds)}"/>'
            yield text(x_of(0, seconds) + 4, panel + 18, "another connection's transaction", "faint")
    foot = top + HEADING + len(SIDES) * (GAP + PANEL) + 18
    step = next(step for step in (2, 5, 10, 20, 60, 120) if seconds / step <= 10)
    for second in range(0, ceil(seconds - step / 4), step):  # the last label needs room
        yield text(x_of(second, seconds), foot, f"{second} s", "faint", anchor="middle")


def draw_panel(trial: Trial, top: float, seconds: float, before: float) -> Iterator[str]:
    yield text(LEFT, top - 8, "Plain Alembic" if trial.side == "naive" else "Semicircle", "side")
    yield text(WIDTH - RIGHT, top - 8, caption(figures(trial)), "faint", anchor="end")
    if trial.migration:
        start, end = (x_of(moment, seconds) for moment in trial.migration)
        yield f'<path class="band" d="M{start} {top}H{end}v{PANEL}H{start}z"/>'
        yield f'<path class="edge" d="M{start} {top}v{PANEL}M{end} {top}v{PANEL}"/>'
    for latency, label in TICKS:
        yield f'<path class="grid" d="M{LEFT} {y_of(latency, top)}h{PLOT}"/>'
        yield text(LEFT - 8, y_of(latency, top) + 4, label, "faint", anchor="end")
    yield f'<path class="before" d="M{LEFT} {y_of(before, top)}h{PLOT}"/>'
    failed = [answer for answer in trial.answers if answer.is_failed]
    well = [answer for answer in trial.answers if not answer.is_failed]
    reads, writes = ([a for a in well if (a.kind in ("list", "show")) == is_read] for is_read in (True, False))
    for name, answers in (("read", reads), ("write", writes)):
        yield f'<path class="{name}" d="{"".join(f"M{x} {y}h0" for x, y in places(answers, top, seconds))}"/>'
    yield f'<path class="bad" d="{"".join(cross(x, y) for x, y in places(failed, top, seconds))}"/>'


def caption(measured: Figures) -> str:
    return (
        f"p99 {measured.p99 * MS:,.0f} ms · slowest {measured.max * MS:,.0f} ms · {measured.slow} of "
        f"{measured.requests} over 1 s · {measured.failed} failed · migration {measured.duration or 0:.1f} s"
    )


def places(answers: Iterable[Answer], top: float, seconds: float) -> list[tuple[float, float]]:
    """The coordinates of the dots. Dots at the same place are drawn once."""
    return sorted({(round(x_of(answer.due, seconds)), round(y_of(answer.latency, top))) for answer in answers})


def x_of(moment: float, seconds: float) -> float:
    return round(LEFT + PLOT * moment / seconds, 1)


def y_of(latency: float, top: float) -> float:
    share = log10(min(max(latency, FASTEST), SLOWEST) / FASTEST) / log10(SLOWEST / FASTEST)
    return round(top + PANEL * (1 - share), 1)


def cross(x: float, y: float) -> str:
    return f"M{x - 3} {y - 3}l6 6m0 -6l-6 6"


def text(x: float, y: float, words: str, name: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{name}" text-anchor="{anchor}">{escape(words)}</text>'
