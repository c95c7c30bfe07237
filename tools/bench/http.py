"""Measure what a request costs over HTTP: CPU of the web and of PostgreSQL, and the memory of a worker.

With --against, an earlier commit's checkout is measured in the same run: the two take turns, and each ratio is of turns
of the same round (paired), so a machine that slows down slows both. It runs with this checkout's packages.
Exit code 1 when a request failed. Run: .venv/bin/python -m tools.bench.http [--quick] [--only PART] [--against COMMIT]
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

import psutil

from app.accounts.hashing import hash_password
from tests.samples import samples
from tools.bench.client import PASSWORD, Client, sign_in
from tools.bench.figures import MS, Spread, cpu_seconds, markdown, megabytes_a_worker, percentile, spread
from tools.bench.load import Outcome, Request, closed_loop
from tools.bench.service import ROOT, create_database, get, postgresql, query, release, running

WORKERS = 2
CLIENTS = 16  # connections at once
FIRST_PAGES = 20  # so that every process has served some
READERS = [f"reader{number:02}" for number in range(1, 17)]  # who only read, so that their pages stay as they are
WRITERS = [f"writer{number:02}" for number in range(1, 17)]
NOTES = 500  # of each of them
WORDS = """
a small moon over the river this morning bread and coffee then a long walk by the old bridge where nobody was yet
call the dentist about Thursday ask mother for the recipe with potatoes and pumpkin read the second chapter again
반달 저녁 하늘 남쪽 멸치 육수 감자 애호박 오늘 아침 다리 위에서 본 것 내일 다시 읽기
"""
# The first page has neither tags nor pins, so that its rows are alike; the tag "book" fills a page of everybody's.
USERS = """
INSERT INTO users (email, nickname, nickname_key, password_hash)
SELECT name || '@example.com', name, name, %s FROM unnest(%s) AS name
"""
FILL_NOTES = """
INSERT INTO notes (user_id, title, content, tags, created_at, updated_at)
SELECT users.id, 'Note ' || n, (%s::text[])[1 + n %% 500],
       CASE WHEN n BETWEEN 21 AND 50 OR n > 50 AND n %% 10 = 0 THEN ARRAY['book', 'tag' || n %% 40] ELSE '{}' END,
       written, written
FROM users, generate_series(1, %s) AS n,
     LATERAL (SELECT date_trunc('second', now()) - n * interval '1 second') AS moment (written)
ORDER BY n DESC, users.id
"""
FILL_REST = """
INSERT INTO todos (user_id, description, completed, position, completed_at)
SELECT id, 'Todo ' || n, n % 3 = 0, n, CASE WHEN n % 3 = 0 THEN now() END FROM users, generate_series(1, 20) AS n;
"""
NEW_NOTE = {"title": "A new note", "content": "a line of text " * 6}
NOTE = re.compile(r'"/notes/(\d+)')
TOKEN = re.compile(r"\bsc_[0-9A-Za-z]+")


@dataclass(frozen=True)
class Target:
    """A server that is ready and knows its people."""

    name: str
    port: int
    pid: int  # of the process that leads the others
    database_url: str
    fresh: float  # PSS of a web process that has served its first pages, in MB
    readers: list[Client]  # who are signed in, as the writers are
    writers: list[Client]
    tokens: list[str]  # of the readers' programs


class Work(NamedTuple):
    name: str
    requests: Callable[[Target], Sequence[Request]]  # what a target is asked for, in turn
    expected: int = 200  # status


class Turn(NamedTuple):
    """Hold what one target did in its turn. Times in seconds; `web` and `database` are CPU."""

    target: str
    work: str
    round: int
    elapsed: float
    latencies: list[float]
    web: float
    database: float


def request(client: Client, path: str, **headers: str) -> Request:
    """Return a GET as a browser behind a router sends it, but without compression."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return Request("GET", path, {**client.headers, "Cookie": cookies, "Accept-Encoding": "identity", **headers})


def reading(path: str) -> Callable[[Target], Sequence[Request]]:
    return lambda target: [request(reader, path) for reader in target.readers]


def strange(path: str) -> Callable[[Target], Sequence[Request]]:
    return lambda target: [request(Client(target.port), path)]


def of_first_note(ending: str = "") -> Callable[[Target], Sequence[Request]]:
    def requests(target: Target) -> Sequence[Request]:
        notes = [NOTE.findall(reader.get("/notes").text)[0] for reader in target.readers]
        return [request(reader, f"/notes/{note}{ending}") for note, reader in zip(notes, target.readers, strict=True)]

    return requests


def api_list(target: Target) -> Sequence[Request]:
    return [request(Client(target.port), "/api/v1/notes", Authorization=f"Bearer {token}") for token in target.tokens]


def create(target: Target) -> Sequence[Request]:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies = [urlencode({**NEW_NOTE, "csrf_token": writer.token()}) for writer in target.writers]
    return [
        request(writer, "/notes", **form)._replace(method="POST", body=body)
        for writer, body in zip(target.writers, bodies, strict=True)
    ]


PARTS = {
    "servers": (
        Work("/notes", reading("/notes")),
        Work("/sign-in", strange("/sign-in")),
        Work("404", strange("/there-is-no-such-page"), 404),
        Work("/api/v1/notes", api_list),
        Work("POST /notes", create, 302),
    ),
    "pages": (
        Work("/", strange("/")),
        Work("404, signed in", reading("/there-is-no-such-page"), 404),
        Work("a note", of_first_note()),
        Work("a note's form", of_first_note("/edit")),
        Work("a search", reading("/notes?q=potatoes")),
        Work("a tag", reading("/notes?tag=book")),
        *(Work(path, reading(path)) for path in ("/notes/trash", "/notes/tags", "/todos")),
        *(Work(each.path, reading(each.path)) for each in samples()),
        *(Work(path, reading(path)) for path in ("/mypage", "/mypage/edit")),
    ),
}


def main() -> None:
    options = parse()
    rounds, seconds = (options.rounds or 4, 0.3) if options.quick else (options.rounds or 15, 0.8)
    parts = options.only or (["servers"] if options.quick else PARTS)
    works = [work for part in parts for work in PARTS[part]]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # and everything that was started with it
    print(f"other programs take {psutil.cpu_percent(interval=2):.0f} % of the machine's CPU as this begins", flush=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="http-", ignore_cleanup_errors=True)))
        environment, database = stack.enter_context(postgresql(may_create_databases=True))
        checkouts = {"here": ROOT}
        if options.against:
            checkouts[options.against] = check_out(options.against, folder / "earlier")
        targets = [
            start(stack, name, root, environment, f"checkout_{number}")
            for number, (name, root) in enumerate(checkouts.items())
        ]
        turns = measure(database.process.pid, targets, works, rounds, seconds)
        print("\n".join([*costs(turns, list(checkouts), works), "", *memory(targets)]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.http", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short turns and few rounds, of the part servers")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--against", metavar="COMMIT", help="an earlier commit of this service, to compare with")
    parser.add_argument("--rounds", type=int, help="turns of each target with each request (15; 4 with --quick)")
    return parser.parse_args()


def check_out(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder. End this command where git does not have it."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
    if archive.returncode != 0:
        sys.exit(f"git cannot check {commit} out: {archive.stderr.decode()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def start(stack: ExitStack, name: str, root: Path, environment: Mapping[str, str], database: str) -> Target:
    """Run a checkout with two processes on a database of its own, and sign its people in."""
    url = create_database(environment["DATABASE_URL"], database)
    own = {**environment, "DATABASE_URL": url, "WEB_CONCURRENCY": str(WORKERS)}
    release(own, root)
    fill(url)
    service = stack.enter_context(running(own, root=root))
    for _ in range(FIRST_PAGES):
        get(service.port)
    fresh = megabytes_a_worker(service.pid, WORKERS)
    with ThreadPoolExecutor(4) as threads:
        readers, writers = (
            list(threads.map(partial(sign_in, service.port), [f"{person}@example.com" for person in people]))
            for people in (READERS, WRITERS)
        )
    tokens = [make_token(reader) for reader in readers]
    return Target(name, service.port, service.pid, url, fresh, readers, writers, tokens)


def fill(url: str) -> None:
    """Insert the same people, notes, todos and what else there is into every database."""
    random = Random(1)
    texts = [" ".join(random.choices(WORDS.split(), k=random.randint(12, 60))) for _ in range(NOTES)]
    query(url, USERS, (hash_password(PASSWORD), [*READERS, *WRITERS]))
    query(url, FILL_NOTES, (texts, NOTES))
    query(url, FILL_REST)
    for each in samples():
        query(url, each.many)
    query(url, "VACUUM (ANALYZE)")


def make_token(reader: Client) -> str:
    """Make a token for the API by the form: commits differ in how they sign one. Raises: RuntimeError."""
    answer = reader.submit("/mypage/tokens", name="bench", scopes="read", expiry="30")
    found = TOKEN.search(answer.text)
    if found is None:
        raise RuntimeError(f"the form of tokens answered {answer.status}: {answer.text[-500:]}")
    return found[0]


def measure(database: int, targets: Sequence[Target], works: Sequence[Work], rounds: int, seconds: float) -> list[Turn]:
    """Give each target a turn with each request in every round, in alternating order; the first round warms up.

    `database` is the process of PostgreSQL that leads the others.
    """
    turns = []
    asked = {(target.name, work.name): work.requests(target) for target in targets for work in works}
    for number in range(-1, rounds):
        for work in works:
            for target in targets if number % 2 else reversed(targets):
                query(target.database_url, "DELETE FROM rate_limits")  # so that everybody may ask as often again
                web, sql = cpu_seconds(target.pid), cpu_seconds(database)
                outcome = closed_loop(target.port, asked[target.name, work.name], work.expected, CLIENTS, seconds)
                web, sql = cpu_seconds(target.pid) - web, cpu_seconds(database) - sql
                refuse_failures(f"{target.name}, {work.name}, round {number}", outcome)
                turns.append(Turn(target.name, work.name, number, outcome.elapsed, outcome.latencies, web, sql))
    return [turn for turn in turns if turn.round >= 0]


def refuse_failures(what: str, outcome: Outcome) -> None:
    """End this command where a request failed: such figures would flatter."""
    for status, count in outcome.failed.items():
        sys.exit(f"FAILED  {what}: {count} × {status or 'no answer'}")


def web_cpu(turn: Turn) -> float:
    """Return milliseconds a request."""
    return MS * turn.web / len(turn.latencies)


def database_cpu(turn: Turn) -> float:
    return MS * turn.database / len(turn.latencies)


def cpu(turn: Turn) -> float:
    return web_cpu(turn) + database_cpu(turn)


def rate(turn: Turn) -> float:
    """Return requests a second."""
    return len(turn.latencies) / turn.elapsed


def p50(turn: Turn) -> float:
    """Return milliseconds."""
    return MS * percentile(sorted(turn.latencies), 50)


COLUMNS = {"CPU ms web": web_cpu, "CPU ms PostgreSQL": database_cpu, "CPU ms": cpu, "requests/s": rate, "p50 ms": p50}


def paired(turns: Sequence[Turn], names: tuple[str, str], work: str, figure: Callable[[Turn], float]) -> Spread:
    """Return the ratio of two targets, of turns of the same round. Raises: LookupError.

    Rounds in which the second is 0 have none.
    """
    above, below = (
        {turn.round: figure(turn) for turn in turns if (turn.target, turn.work) == (name, work)} for name in names
    )
    ratios = [above[number] / below[number] for number in above.keys() & below.keys() if below[number]]
    if not ratios:
        raise LookupError(f"{names} have no round of {work} in common")
    return spread(ratios)


def costs(turns: Sequence[Turn], names: Sequence[str], works: Sequence[Work]) -> Iterator[str]:
    """Yield a table: the medians of each target with their quartiles, then the ratio of the first to the second."""
    rows: list[Sequence[str]] = [("request", "", *COLUMNS)]
    for work in works:
        for name in names:
            own = [turn for turn in turns if (turn.target, turn.work) == (name, work.name)]
            cells = (spread([figure(turn) for turn in own]).shown() for figure in COLUMNS.values())
            rows.append((work.name, name, *cells))
        if len(names) == 2:
            rows.append((work.name, f"{names[0]} / {names[1]}", *ratios(turns, (names[0], names[1]), work.name)))
    return markdown(rows)


def ratios(turns: Sequence[Turn], names: tuple[str, str], work: str) -> Iterator[str]:
    for figure in COLUMNS.values():
        try:
            yield paired(turns, names, work, figure).shown()
        except LookupError:  # a page that asks no database
            yield "-"


def memory(targets: Sequence[Target]) -> Iterator[str]:
    rows = [("a web process", "PSS MB, fresh", "PSS MB, used")]
    for target in targets:
        rows.append((target.name, f"{target.fresh:.1f}", f"{megabytes_a_worker(target.pid, WORKERS):.1f}"))
    return markdown(rows)


if __name__ == "__main__":
    main()
