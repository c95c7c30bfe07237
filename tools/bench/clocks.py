"""Count what readers lose between two machines whose clocks differ: sessions, and forms that they had typed.

Each request goes to the next of two web processes. One is ahead of the database's clock, the other as far behind.
Twenty readers sign in, read, and post forms that they left open for a while; who is signed out signs in again.
Over a minute apart it is meant to lose them, which shows that losses are seen.
Run: .venv/bin/python -m tools.bench.clocks [--requests 2000]
"""

import argparse
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

from tests.databases import Environment
from tools.bench.client import PASSWORD, Answer, Client, token_in
from tools.bench.service import database, query, running

READERS = 20
APART = (0.0, 60.0, 180.0)  # seconds
STORED = "SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM todos)"  # rows of forms
READ = ("/notes", "/todos", "/mypage", "/notes")


class Reader:
    """Visit as a browser does, and count in `seen` what it was answered."""

    def __init__(self, ports: tuple[int, int], name: str) -> None:
        first = Client(ports[0])
        second = Client(ports[1], first.headers["X-Forwarded-For"])
        second.cookies = first.cookies  # of one browser, which heeds no port
        self._turns = cycle((first, second))
        self._account = {"email": f"{name}@example.com", "password": PASSWORD}
        self._token = ""
        self.seen: Counter[str] = Counter()

    def visit(self, requests: int) -> None:
        """Send at least as many requests."""
        nickname = self._account["email"].partition("@")[0]
        self._sign_in("/sign-up", nickname=nickname)
        for number, path in enumerate(cycle(READ)):
            if self.seen["requests"] >= requests:
                return
            if number % 20 == 19:
                self._post("/sign-out")
                self._sign_in("/sign-in")
            form = self._token  # of a page that was read before this one
            self._read(path)
            self._write("/notes", form, title=f"{nickname} {number}")
            self._write("/todos", self._token, description=f"{nickname} {number}")

    def _sign_in(self, path: str, **fields: str) -> None:
        """Sign in, and again where the answer was no session. Three times: with some clocks it never works."""
        for _ in islice(cycle([path, "/sign-in"]), 3):
            self._token = token_in(self._ask("GET", "/sign-in").text)
            if self._post(path, **self._account, **fields).headers.get("Location") == "/notes":
                self._read("/notes")
                return
            self.seen["sign-ins lost"] += 1
            path, fields = "/sign-in", {}

    def _read(self, path: str) -> None:
        page = self._ask("GET", path)
        if page.status != 200:
            self.seen["signed out"] += 1
            self._sign_in("/sign-in")
            return
        self._token = token_in(page.text)

    def _write(self, path: str, token: str, **fields: str) -> None:
        self.seen["forms"] += 1
        self._token, newest = token, self._token
        answer = self._post(path, **fields)
        self._token = newest
        if answer.status != 302 or answer.headers["Location"].startswith("/sign-in"):
            self.seen["forms lost"] += 1
            self._sign_in("/sign-in")

    def _post(self, path: str, **fields: str) -> Answer:
        return self._ask("POST", path, fields={"csrf_token": self._token, **fields})

    def _ask(self, method: str, path: str, **arguments: object) -> Answer:
        self.seen["requests"] += 1
        return next(self._turns).request(method, path, **arguments)  # type: ignore[arg-type]


def visits(ports: tuple[int, int], requests: int, turn: int) -> Counter[str]:
    readers = [Reader(ports, f"reader{turn}x{number}") for number in range(READERS)]
    with ThreadPoolExecutor(READERS) as threads:
        for visit in [threads.submit(reader.visit, requests // READERS) for reader in readers]:
            visit.result()
    return sum((reader.seen for reader in readers), Counter())


# Python imports a module of this name when it starts. time-machine changes what C code answers: the functions of `time`
# and the methods of `datetime`. The monotonic clocks stay; libfaketime's do not, and fail each time.sleep().
SITECUSTOMIZE = """\
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(seconds={ahead}), tick=True).start()
datetime.now(UTC)  # its clock begins to run when it is asked for the first time
"""


def clock(folder: Path, ahead: float) -> Environment:
    """Return the environment of a process whose clock is so many seconds ahead of this machine's; negative: behind."""
    own = folder / f"clock{ahead:+}"
    own.mkdir()
    (own / "sitecustomize.py").write_text(SITECUSTOMIZE.format(ahead=ahead))
    return {"PYTHONPATH": str(own)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of all readers together (2000)")
    options = parser.parse_args()
    names = ("requests", "sign-ins lost", "signed out", "forms", "forms lost")
    print("".join(f"{name:>15}" for name in ("seconds apart", *names, "rows stored")))
    with database() as environment, tempfile.TemporaryDirectory() as name:
        before = 0
        for turn, apart in enumerate(APART):
            folder = Path(name) / str(turn)
            folder.mkdir()
            with (
                running({**environment, **clock(folder, apart / 2)}) as ahead,
                running({**environment, **clock(folder, -apart / 2)}) as behind,
            ):
                seen = visits((ahead.port, behind.port), options.requests, turn)
            [(rows,)] = query(environment["DATABASE_URL"], STORED)
            print(
                "".join(f"{value:>15}" for value in (apart, *(seen[name] for name in names), rows - before)), flush=True
            )
            before = rows


if __name__ == "__main__":
    main()
