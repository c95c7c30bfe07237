"""Statements and round trips of a page, counted in PostgreSQL's own log.

Every entry of the log is a message that the driver waits for the answer of: a round trip. BEGIN, COMMIT, ROLLBACK and
a ping are round trips that ask for nothing. SET LOCAL is not one: a statement follows in the same message.
"""

import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg2

from tools.bench.http.load import Load, Plan
from tools.bench.http.targets import Stage, Target
from tools.bench.http.turns import Work

PAGES = 10
QUIET = 0.2  # seconds without a new line: what is sent after the answer, such as a ROLLBACK, is there too
SETTING = "log_statement = 'all'\n"
WITHIN = 10  # seconds until PostgreSQL has read its settings
LINE = re.compile(r"LOG:  (?:statement|execute [^:]*):[ \t]*(?:\n\t)*(.*)$", re.MULTILINE)  # \n\t: goes on
NOTHING_ASKED = re.compile(r"(SELECT 1)?;?$|(BEGIN|COMMIT|ROLLBACK|SET(?! LOCAL)|SHOW)\b", re.IGNORECASE)


class Trips(NamedTuple):
    """Of one page, on average."""

    statements: float
    round_trips: float


def count(stage: Stage, load: Load, targets: Sequence[Target], works: Sequence[Work]) -> dict[tuple[str, str], Trips]:
    """What a request of each work needs, by the names of target and work. The targets' connections are open by now."""
    assert stage.database.log  # noqa: S101 - it was started with one
    with _logged(stage):
        return {
            (target.name, work.name): _of_pages(stage.database.log, load, target, work)
            for work in works
            for target in targets
        }


def _of_pages(log: Path, load: Load, target: Target, work: Work) -> Trips:
    start = _size_when_quiet(log)
    request = work.requests(target)[0]
    for _ in range(PAGES):
        load.run(Plan(target.port, [request], work.expected, clients=1, seconds=0))
    _size_when_quiet(log)
    with log.open("rb") as file:
        file.seek(start)
        entries = LINE.findall(file.read().decode(errors="replace"))
    asked = sum(not NOTHING_ASKED.match(entry) for entry in entries)
    return Trips(asked / PAGES, len(entries) / PAGES)


def _size_when_quiet(log: Path) -> int:
    size, since = log.stat().st_size, time.monotonic()
    while time.monotonic() - since < QUIET:
        time.sleep(0.02)
        if log.stat().st_size != size:
            size, since = log.stat().st_size, time.monotonic()
    return size


@contextmanager
def _logged(stage: Stage) -> Iterator[None]:
    settings = stage.folder / "postgres" / "postgresql.auto.conf"
    before = settings.read_text()
    _set(stage, settings, before + SETTING, "all")
    yield
    _set(stage, settings, before, "none")


def _set(stage: Stage, settings: Path, text: str, expected: str) -> None:
    settings.write_text(text)
    stage.database.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + WITHIN
    while _setting(stage.ours["DATABASE_URL"]) != expected:
        if time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL does not take the setting log_statement")
        time.sleep(0.05)


def _setting(url: str) -> str:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW log_statement")
        return str(cursor.fetchall()[0][0])
