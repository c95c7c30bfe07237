"""What every other page costs, against the earlier commit: CPU a page, of the web and the database."""

import re
from collections.abc import Callable, Iterator, Sequence

from tools.bench.http import figures, rows
from tools.bench.http.figures import Turn, of, paired
from tools.bench.http.report import written
from tools.bench.http.rows import Visitor
from tools.bench.http.statements import Trips
from tools.bench.http.targets import EARLIER, OURS, Target
from tools.bench.http.turns import MISSING, REDIRECT, Bench, Work
from tools.bench.release.report import markdown

NOTE = re.compile(r'"/notes/(\d+)')
OLDER = re.compile(r'href="(/notes\?before=[^"]+)"')
NOWHERE = "/there-is-no-such-page"


def _path(path: str) -> Callable[[Target], Sequence[bytes]]:
    return lambda target: [reader.get(path) for reader in target.readers]


def _of_note(ending: str = "") -> Callable[[Target], Sequence[bytes]]:
    return lambda target: [reader.get(first_note(reader) + ending) for reader in target.readers]


def _strange(path: str) -> Callable[[Target], Sequence[bytes]]:
    return lambda target: [rows.stranger(target.port).get(path)]


def first_note(reader: Visitor) -> str:
    return f"/notes/{_found(NOTE, reader)}"


def older(reader: Visitor) -> str:
    """The link "Show older"."""
    return _found(OLDER, reader)


def _found(pattern: re.Pattern[str], reader: Visitor) -> str:
    found = pattern.search(reader.page)
    if found is None:
        raise LookupError(f"the list of notes has no {pattern.pattern}; adapt tools/bench/http/pages.py to its markup")
    return found[1]


PAGES = (
    Work("sign-in form", _strange("/sign-in")),
    Work("landing page", _strange("/")),
    Work("404, signed out", _strange(NOWHERE), MISSING),
    Work("404", _path(NOWHERE), MISSING),
    Work("redirect from /", _path("/"), REDIRECT),
    Work("one note", _of_note()),
    Work("edit a note", _of_note("/edit")),
    Work("search", _path("/notes?q=potatoes")),
    Work("tag", _path("/notes?tag=book")),
    Work("trash", _path("/notes/trash")),
    Work("all tags", _path("/notes/tags")),
    Work("todos", _path("/todos")),
    Work("counts", _path("/wordcounts")),
    Work("my page", _path("/mypage")),
    Work("edit my page", _path("/mypage/edit")),
)


def measure(bench: Bench, count: int, targets: Sequence[Target]) -> list[Turn]:
    return bench.rounds(count, targets, PAGES)


def table(turns: Sequence[Turn], trips: dict[tuple[str, str], Trips]) -> Iterator[str]:
    yield "\n### Every other page: CPU of the web and the database, and round trips\n"
    rows = [("", "ms, ours", "ms, earlier", "ours / earlier", "round trips, ours", "earlier")]
    for page in PAGES:
        name = page.name
        rows.append(
            (
                name,
                written(of(turns, OURS, name, figures.cpu), 2),
                written(of(turns, EARLIER, name, figures.cpu), 2),
                written(paired(turns, (OURS, name), (EARLIER, name), figures.cpu), 2),
                f"{trips[OURS, name].round_trips:.1f}",
                f"{trips[EARLIER, name].round_trips:.1f}",
            )
        )
    yield from markdown(rows)
