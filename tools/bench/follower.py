"""Read a site whose follower lags and is killed: count who misses their own write, and what fails.

Each account has two devices. Round after round one of them stores a note, both read the list at once, and an account
that writes nothing reads its own. Exit code 1 when a reader missed a write or a request failed.
Run: .venv/bin/python -m tools.bench.follower [--requests 1000] [--lag 5]
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

from app import create_app
from app.accounts import service as accounts
from app.extensions import db
from config import ProductionConfig
from tests.replica import Pair, replicated
from tools.bench.client import PASSWORD, Client, sign_in
from tools.bench.figures import cpu_seconds
from tools.bench.service import production, release, running

ACCOUNTS = 5
# Lines of the follower's log, by which its share is counted.
LOGGED = {"log_statement": "all", "log_line_prefix": "%a "}
OF_A_PAGE = "semicircle-web LOG:  statement: SELECT notes"


class Round:
    """Write a note of one account from one device, read its list on both, and the list of somebody who only reads."""

    def __init__(self, name: str, devices: list[Client], reader: Client) -> None:
        self._name, self._devices, self._reader = name, itertools.cycle(devices), reader
        self._numbers = itertools.count(1)
        self.seen: Counter[str] = Counter()

    def run(self, times: int) -> None:
        for _ in range(times):
            self._run_once()

    def _run_once(self) -> None:
        title = f"{self._name} {next(self._numbers)}."
        writer, other = next(self._devices), next(self._devices)
        self._note(writer.submit("/notes", title=title, content="").status == 302)
        for device in (writer, other):
            answer = device.get("/notes")
            self._note(answer.status == 200)
            self.seen["missed"] += answer.status == 200 and title not in answer.text
        self._note(self._reader.get("/notes").status == 200)
        next(self._devices)  # the other one writes next

    def _note(self, answered: bool) -> None:
        self.seen["requests"] += 1
        self.seen["failed"] += not answered


def play(name: str, rounds: list[Round], requests: int, pair: Pair, web: int, meanwhile: Callable[[], None]) -> bool:
    """Print a line of the table. Return whether nobody missed anything, and nothing failed."""
    log = pair.folder / "follower.log"
    before = log.read_text(errors="replace").count(OF_A_PAGE)
    for each in rounds:
        each.seen.clear()
    pids = {"web": web, "primary": pair.primary.process.pid, "follower": pair.follower.process.pid}
    cpu = {part: cpu_seconds(pid) for part, pid in pids.items()}
    began = time.monotonic()
    with ThreadPoolExecutor(len(rounds) + 1) as threads:
        side = threads.submit(meanwhile)
        for played in [threads.submit(each.run, requests // len(rounds) // 4) for each in rounds]:
            played.result()
        side.result()
    seconds = time.monotonic() - began
    seen = sum((each.seen for each in rounds), Counter[str]())
    served = log.read_text(errors="replace").count(OF_A_PAGE) - before
    share = 100 * served / (seen["requests"] * 3 / 4)
    counted = f"{seen['requests']:8} {seconds:7.1f} s {share:15.0f} % {seen['missed']:7} {seen['failed']:7}"
    living = {part: pid for part, pid in pids.items() if psutil.pid_exists(pid)}
    costs = (f"{part} {1000 * (cpu_seconds(pid) - cpu[part]) / seen['requests']:.1f}" for part, pid in living.items())
    print(f"{name:24} {counted}   {', '.join(costs)}", flush=True)
    return not seen["missed"] and not seen["failed"]


def kill_soon(pair: Pair) -> None:
    time.sleep(1.0)
    pair.kill_follower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="of each part (1000)")
    parser.add_argument("--lag", type=int, default=5, help="seconds (5)")
    options = parser.parse_args()
    with replicated() as pair:
        environment = {**production(pair.primary_port), **pair.urls, "LOG_LEVEL": "ERROR"}
        release(environment)
        app = create_app(ProductionConfig(environment))
        with app.app_context():
            emails = [accounts.sign_up(f"{n}@example.com", f"name {n}", PASSWORD).email for n in range(2 * ACCOUNTS)]
            db.engine.dispose()
        pair.restart_follower(**LOGGED)
        with running(environment) as web:
            clients = {email: [sign_in(web.port, email) for _ in range(2)] for email in emails}
            rounds = [
                Round(writer, clients[writer], clients[reader][0])
                for writer, reader in zip(emails[:ACCOUNTS], emails[ACCOUNTS:], strict=True)
            ]
            print(
                f"{'the follower':24} {'requests':>8} {'':>9} {'served of reads':>17} {'missed':>7} {'failed':>7}",
                end="",
            )
            print("   CPU ms a request")
            good = play("keeps up", rounds, options.requests, pair, web.pid, lambda: None)
            pair.restart_follower(recovery_min_apply_delay=f"{options.lag}s")
            time.sleep(options.lag + 2)  # until every process has looked, and knows the lag
            good &= play(f"lags by {options.lag} s", rounds, options.requests, pair, web.pid, lambda: None)
            good &= play("is killed meanwhile", rounds, options.requests, pair, web.pid, lambda: kill_soon(pair))
    if not good:
        sys.exit("a reader missed a write, or a request failed")


if __name__ == "__main__":
    main()
