"""Count what readers lose between two machines whose clocks differ: sessions, and forms that they had typed.

A router sends each request to the next of two web processes. One is ahead of the database's clock, the other as far
behind. Twenty readers sign in, read, and post forms that they left open for a while; who is signed out signs in again.
Over a minute apart it is meant to lose them, which shows that losses are seen.
Run: .venv/bin/python -m tools.bench.clocks [--requests 2000]
"""

import argparse
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path

from tests.databases import Environment
from tests.live.plain_site import HAPROXY
from tools.bench.client import PASSWORD, Answer, Client, token_in
from tools.bench.service import database, query, running
from tools.dev import ports
from tools.dev.processes import Child, spawn

READERS = 20
APART = (0.0, 60.0, 180.0)  # seconds
SECONDS = 10  # until the router listens
STORED = "SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM todos)"  # rows of forms
READ = ("/notes", "/todos", "/mypage", "/notes")


class Reader:
    """Visit as a browser does, and count in `seen` what it was answered."""

    def __init__(self, port: int, name: str) -> None:
        self._client = Client(port)
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
        return self._client.request(method, path, **arguments)  # type: ignore[arg-type]


def visits(port: int, requests: int, turn: int) -> Counter[str]:
    readers = [Reader(port, f"reader{turn}x{number}") for number in range(READERS)]
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

ROUND_ROBIN = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen site
    bind 127.0.0.1:{port}
    balance roundrobin
"""


def clock(folder: Path, ahead: float) -> Environment:
    """Return the environment of a process whose clock is so many seconds ahead of this machine's; negative: behind."""
    own = folder / f"clock{ahead:+}"
    own.mkdir()
    (own / "sitecustomize.py").write_text(SITECUSTOMIZE.format(ahead=ahead))
    return {"PYTHONPATH": str(own)}


@contextmanager
def round_robin(folder: Path, *webs: int) -> Iterator[int]:
    """Yield the port of a router without stickiness: each request goes to the next of the webs.

    Args:
        webs: their ports.
    """
    [port] = ports.find_free(1)
    servers = "".join(f"    server web{number} 127.0.0.1:{web}\n" for number, web in enumerate(webs))
    configuration, log = folder / "haproxy.cfg", folder / "haproxy.log"
    configuration.write_text(ROUND_ROBIN.format(port=port) + servers)
    haproxy = Child("haproxy", spawn([str(HAPROXY), "-db", "-f", str(configuration)], log=log), log)
    try:
        haproxy.wait_until(lambda: _listens(port), SECONDS)
        yield port
    finally:
        haproxy.stop()


def _listens(port: int) -> bool:
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of all readers together (2000)")
    options = parser.parse_args()
    if HAPROXY is None:
        sys.exit("haproxy is not installed: apt-get install haproxy")
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
                round_robin(folder, ahead.port, behind.port) as port,
            ):
                seen = visits(port, options.requests, turn)
            [(rows,)] = query(environment["DATABASE_URL"], STORED)
            print(
                "".join(f"{value:>15}" for value in (apart, *(seen[name] for name in names), rows - before)), flush=True
            )
            before = rows


if __name__ == "__main__":
    main()
