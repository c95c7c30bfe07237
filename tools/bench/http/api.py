"""The list of notes as JSON: what one GET of it costs by token, beside peers that give the same JSON by the same token.

Every one of them looks up the caller and the notes in PostgreSQL at each request. Ours counts requests too: of somebody
who asks often, as programs do, many at once. So a few programs ask, each on several connections.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from http.client import HTTPConnection
from typing import Any

import psycopg2

from app import create_app
from app.accounts import access_tokens
from app.accounts.events import Client
from app.extensions import db
from config import ProductionConfig
from tools.bench.http import figures, report, rows
from tools.bench.http.figures import Turn, of, paired
from tools.bench.http.report import NAMES, written
from tools.bench.http.rows import FEW, MANY, OWNED
from tools.bench.http.statements import Trips
from tools.bench.http.targets import OURS, Stage, Target
from tools.bench.http.turns import Bench, Work
from tools.bench.release.report import markdown

PEERS = ("wsgi", "django", "fastapi")
PROGRAMS = rows.READERS[:8]
LONGER = 2  # times as long as the other turns, of which a good part is the beginning: pings, and first tokens
PATH = "/api/v1/notes"
LIST = "list as JSON"
TIMES = ("created_at", "updated_at", "archived_at", "deleted_at")
# The most CPU of one GET, ours / theirs: the inverse of the throughput for each second of CPU, 0.40 of bare WSGI's.
WANTED = {"wsgi": 2.5, "django": 1 / 1.5, "fastapi": 1 / 1.3}
GROWN = 1.1  # times the CPU, of 50,000 notes against a few

Tokens = dict[str, str]  # by nickname


def make_tokens(stage: Stage) -> Tokens:
    """A token of each program and of each owner, which the service and the peers find in the same table."""
    app = create_app(ProductionConfig({**stage.ours, "LOG_LEVEL": "ERROR"}))
    browser = Client(None, "bench")
    with app.app_context():
        ids = dict(db.session.execute(db.text("SELECT nickname, id FROM users")).tuples().all())
        people = [*PROGRAMS, *OWNED]
        made = {name: access_tokens.make_token(ids[name], "bench", ["read"], 30, browser) for name in people}
        db.session.remove()
        db.engine.dispose()
    return made


def headers(token: str) -> dict[str, str]:
    return {
        "Host": "127.0.0.1",
        "User-Agent": "bench",
        "X-Forwarded-Proto": "https",
        "Authorization": f"Bearer {token}",
    }


def request(token: str) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers(token).items())
    return f"GET {PATH} HTTP/1.1\r\n{lines}\r\n".encode()


def work(name: str, tokens: Sequence[str]) -> Work:
    requests = [request(token) for token in tokens]
    return Work(name, lambda _target: requests)


def lists(tokens: Tokens) -> Work:
    return work(LIST, [tokens[name] for name in PROGRAMS])


def of_owner(tokens: Tokens, who: str) -> Work:
    return work(f"{LIST} of {OWNED[who]}", [tokens[who]])


def refuse_others(servers: Sequence[Target], tokens: Tokens) -> None:
    """Raises: RuntimeError when a peer does not give the JSON that ours gives, or gives it to a stranger."""
    for name in (PROGRAMS[0], *OWNED):
        pages = {server.name: fetched(server.port, tokens[name]) for server in servers}
        for peer, page in pages.items():
            refuse_other(peer, page, pages[OURS])
    for server in servers:
        status, _ = fetched(server.port, "nobody's")
        if status != 401:
            raise RuntimeError(f"{server.name}: answers {status} to a token that nobody holds")


def refuse_other(name: str, theirs: tuple[int, bytes], ours: tuple[int, bytes]) -> None:
    """Raises: RuntimeError when it is no page of 20 notes, or another one than ours."""
    if (theirs[0], ours[0]) != (200, 200):
        raise RuntimeError(f"{name}: answers {theirs[0]}, and ours {ours[0]}")
    found, expected = parsed(theirs[1]), parsed(ours[1])
    if len(expected["notes"]) != 20 or found != expected:
        raise RuntimeError(f"{name}: gives another JSON than ours, which has {len(expected['notes'])} notes")


def parsed(body: bytes) -> Any:
    """The JSON, with its times as such: one ends with Z, another with +00:00. Our cursor has the mark of its list."""
    page = json.loads(body)
    page["next"] = page["next"] and page["next"].partition(".")[0]
    for note in page["notes"]:
        note.update({name: note[name] and datetime.fromisoformat(note[name]) for name in TIMES})
    return page


def fetched(port: int, token: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", PATH, headers=headers(token))
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def measure(bench: Bench, count: int, stage: Stage, servers: Sequence[Target], tokens: Tokens) -> list[Turn]:
    """All servers with the list of a few programs, then ours, which is the first of them, with that of two owners."""
    refuse_others(servers, tokens)
    # An owner has the rate limit of one person, which a longer turn would reach.
    short, long = (Bench(bench.load, bench.database, bench.seconds * times) for times in (1 / 4, LONGER))
    owners = [of_owner(tokens, who) for who in (FEW, MANY)]
    turns: list[Turn] = []
    for number in range(-1, count):  # the first one warms up
        refill(stage)
        turns += long.round(number, servers, [lists(tokens)])
        for again in range(4):
            refill(stage)
            turns += short.round(4 * number + again, servers[:1], owners)
    return [turn for turn in turns if turn.round >= 0]


def refill(stage: Stage) -> None:
    """Let everybody ask again as often as the rate limit lets them at once."""
    connection = psycopg2.connect(stage.ours["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM rate_limits")  # after TRUNCATE, each connection would look the table up again
    connection.close()


def table(turns: Sequence[Turn], trips: dict[tuple[str, str], Trips]) -> Iterator[str]:
    names = [OURS, *PEERS]
    yield from report.servers(turns, names, LIST)
    yield "\n### Statements of the list as JSON\n"
    counted = [(NAMES[name], *(f"{value:.1f}" for value in trips[name, LIST])) for name in names]
    yield from markdown([("", "statements", "round trips"), *counted])
    yield ""
    for name in PEERS:
        ratio = paired(turns, (OURS, LIST), (name, LIST), figures.cpu)
        yield verdict(f"CPU of the list as JSON, ours / {NAMES[name]}", ratio.median, WANTED[name])
    few, many = (f"{LIST} of {OWNED[who]}" for who in (FEW, MANY))
    ratio = paired(turns, (OURS, many), (OURS, few), figures.cpu)
    shown = (
        f"{written(of(turns, OURS, many, figures.cpu), 2)} ms against {written(of(turns, OURS, few, figures.cpu), 2)}"
    )
    yield verdict(f"CPU of the list as JSON at {OWNED[MANY]:,} notes / {OWNED[FEW]}: {shown}", ratio.median, GROWN)


def verdict(what: str, ratio: float, most: float) -> str:
    return f"- {'holds' if ratio <= most else 'FALLS SHORT'}: {what}, {ratio:.2f} of at most {most:.2f}"
