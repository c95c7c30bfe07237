"""A bar chart of the CPU that a page takes, as SVG: the web and PostgreSQL of each target, and our ratio to it.

The colours are those of tools.bench.release, light and dark; the background is transparent.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tools.bench.http import figures
from tools.bench.http.figures import Turn, of, paired
from tools.bench.http.report import NAMES, written
from tools.bench.http.targets import OURS
from tools.bench.release.picture import FAINT, INK, LEFT, LINE, READ, RIGHT, WIDTH, WRITE, text

NAME, RATIO = 170, 250  # widths of the columns beside the bars
BARS = LEFT + NAME
LENGTH = WIDTH - BARS - RIGHT - RATIO
HEADING, ROW, BAR = 46, 30, 18
TITLES = {"list": "A list of 20 notes: CPU a page", "create": "A new note: CPU a request"}

STYLE = """
text { font: 13px system-ui, sans-serif }
.heading { font-size: 17px; font-weight: 600 }
.ours { font-weight: 600 }
.faint { font-size: 12px }
"""
FILLS = {"text": INK, ".faint": FAINT, ".web": READ, ".database": WRITE}


def style() -> str:
    light, dark = (
        "\n".join(
            [
                *(f"{name} {{ fill: {colours[mode]} }}" for name, colours in FILLS.items()),
                f".spread {{ stroke: {INK[mode]}; fill: none }} .grid {{ stroke: {LINE[mode]} }}",
            ]
        )
        for mode in (0, 1)
    )
    return f"{STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def draw(turns: Sequence[Turn], names: Sequence[str], conditions: dict[str, Any]) -> str:
    block = HEADING + len(names) * ROW + 10
    height = 44 + len(TITLES) * block
    caption = (
        f"{conditions['workers']} processes each, {conditions['clients']} clients, {conditions['rounds']} rounds in "
        f"turns on {conditions['cores']} cores; medians, the lines are quartiles"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>CPU a request of this service, its earlier commit and peers that give the same page</title>",
        f"<style>{style()}</style>",
        text(LEFT, 20, caption, "faint"),
        f'<path class="web" d="M{LEFT} 30h12v10h-12z"/>',
        text(LEFT + 18, 40, "web", "faint"),
        f'<path class="database" d="M{LEFT + 60} 30h12v10h-12z"/>',
        text(LEFT + 78, 40, "PostgreSQL", "faint"),
    ]
    for number, work in enumerate(TITLES):
        parts += panel(turns, names, work, 44 + number * block)
    return "\n".join([*parts, "</svg>\n"])


def panel(turns: Sequence[Turn], names: Sequence[str], work: str, top: int) -> Iterator[str]:
    yield text(LEFT, top + 26, TITLES[work], "heading")
    longest = max(of(turns, name, work, figures.cpu).high for name in names)
    for number, name in enumerate(names):
        yield from bar(turns, name, work, longest, top + HEADING + number * ROW)


def bar(turns: Sequence[Turn], name: str, work: str, longest: float, top: int) -> Iterator[str]:
    """One target: its name, its milliseconds as a bar, and our ratio to it."""
    scale = LENGTH / longest
    web, database, both = (
        of(turns, name, work, figure) for figure in (figures.web_cpu, figures.database_cpu, figures.cpu)
    )
    middle = top + BAR / 2
    yield text(BARS - 8, top + 14, NAMES[name], "ours" if name == OURS else "name", anchor="end")
    yield f'<path class="web" d="M{BARS} {top}h{web.median * scale:.1f}v{BAR}H{BARS}z"/>'
    start = BARS + web.median * scale
    yield f'<path class="database" d="M{start:.1f} {top}h{database.median * scale:.1f}v{BAR}H{start:.1f}z"/>'
    yield f'<path class="spread" d="M{BARS + both.low * scale:.1f} {middle}H{BARS + both.high * scale:.1f}"/>'
    said = f"{both.median:.1f} ms"
    if name != OURS:
        said += f" · ours × {written(paired(turns, (OURS, work), (name, work), figures.cpu), 2)}"
    yield text(WIDTH - RIGHT, top + 14, said, "faint", anchor="end")
