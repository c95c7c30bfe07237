"""What a page costs somebody who has 50,000 notes, against somebody who has 50."""

from collections.abc import Callable, Iterator, Sequence

from tools.bench.http import figures
from tools.bench.http.figures import Turn, of, paired
from tools.bench.http.pages import first_note, older
from tools.bench.http.report import written
from tools.bench.http.rows import FEW, MANY, OWNED, Visitor
from tools.bench.http.targets import Target
from tools.bench.http.turns import Bench, Work
from tools.bench.release.report import markdown

PATHS: dict[str, Callable[[Visitor], str]] = {
    "list": lambda owner: "/notes",
    "Show older": older,
    "tag": lambda owner: "/notes?tag=book",
    "one note": first_note,
}


def works() -> list[Work]:
    return [_work(page, who) for page in PATHS for who in OWNED]


def _work(page: str, who: str) -> Work:
    def requests(target: Target) -> Sequence[bytes]:
        owner = target.owners[who]
        return [owner.get(PATHS[page](owner))]

    return Work(_name(page, who), requests)


def _name(page: str, who: str) -> str:
    return f"{page} of {OWNED[who]}"


def measure(bench: Bench, count: int, targets: Sequence[Target]) -> list[Turn]:
    return bench.rounds(count, targets, works())


def table(turns: Sequence[Turn]) -> Iterator[str]:
    names = dict.fromkeys(turn.target for turn in turns)
    few, many = f"{OWNED[FEW]:,}", f"{OWNED[MANY]:,}"
    yield f"\n### A person with {many} notes against one with {few}\n"
    rows = [("", f"CPU ms at {few}", f"CPU ms at {many}", "CPU, ratio", "p50, ratio")]
    for name in names:
        for page in PATHS:
            small, large = _name(page, FEW), _name(page, MANY)
            rows.append(
                (
                    f"{name}: {page}",
                    written(of(turns, name, small, figures.cpu)),
                    written(of(turns, name, large, figures.cpu)),
                    written(paired(turns, (name, large), (name, small), figures.cpu), 2),
                    written(paired(turns, (name, large), (name, small), figures.p50), 2),
                )
            )
    yield from markdown(rows)
