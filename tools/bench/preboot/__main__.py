"""Push twenty releases in a row, expand and contract in turn, to a plain server under load: nothing fails or is lost.

Each is pushed to a bare repository whose hook releases it and replaces the web and the worker behind HAProxy, while
open-loop traffic (a third are writes) goes through HAProxy over TLS and the worker always has a job under way. Each
release reads and writes a column that the one before it does not have.
Run: .venv/bin/python -m tools.bench.preboot [--releases 20] [--rate 50]
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from app import create_app
from config import ProductionConfig
from tests.databases import HEAD
from tests.live.plain_site import PlainSite, plain_site
from tests.mail.smtp_server import smtp_server
from tools.bench.figures import MS, percentile
from tools.bench.preboot import releases
from tools.bench.preboot.letters import Letters
from tools.bench.release import seed
from tools.bench.release.traffic import EXPECTED, GIVE_UP, Answer, Plan, Traffic, title
from tools.bench.service import ROOT, mail, postgresql, query

NOTES = 100_000
WARM_UP = 5.0  # seconds of requests before the first release, and after the last one
JOBS_END_WITHIN = 60.0  # seconds

say = partial(print, flush=True)


def main() -> None:
    arguments = parse()
    letters = Letters()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))) / "postgres"
        say(f"inserting {NOTES:,} notes")
        seed.prepare(data, NOTES)
        values, _ = stack.enter_context(postgresql(data))
        environment = {**values, **mail(stack.enter_context(smtp_server(letters.mailbox)).port), "LOG_LEVEL": "INFO"}
        app = create_app(ProductionConfig({**environment, "LOG_LEVEL": "ERROR"}))
        del environment["PATH"]
        site = stack.enter_context(plain_site(environment))
        deploy(site, 0)
        plan = Plan(
            urlsplit(site.url).port or 443, seed.visitors(), NOTES, seed.USERS, arguments.rate, site.certificate
        )
        with Traffic(plan) as traffic, letters.written(app, range(seed.CLIENTS + 1, seed.USERS)):
            time.sleep(WARM_UP)
            began = time.monotonic()
            for number in range(1, arguments.releases + 1):
                deploy(site, number)
            took = time.monotonic() - began
            time.sleep(WARM_UP)
            answers = traffic.stop()
        wait_for_jobs(letters)
        lost = lost_notes(environment["DATABASE_URL"], answers)
    report(arguments.releases, took, answers, lost, letters)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.preboot", description=__doc__)
    parser.add_argument("--releases", type=int, default=20, help="how many in a row (20)")
    parser.add_argument("--rate", type=float, default=50, help="requests a second (50)")
    return parser.parse_args()


def deploy(site: PlainSite, number: int) -> None:
    site.commit(releases.release(ROOT, number, HEAD))
    began = time.monotonic()
    pushed = site.push()
    if pushed.returncode != 0:
        sys.exit(f"release {number} failed: {pushed.stderr}")
    kind = "expand" if number % 2 or number == 0 else "contract"
    say(f"release {number}: {kind}, {time.monotonic() - began:.1f} s")


def wait_for_jobs(letters: Letters) -> None:
    deadline = time.monotonic() + JOBS_END_WITHIN
    while letters.lost and time.monotonic() < deadline:
        time.sleep(0.1)


def lost_notes(url: str, answers: list[Answer]) -> int:
    """Count the notes whose storing was answered with success, and that are not there."""
    promised = {title(answer.mark) for answer in answers if answer.kind == "create" and answer.status == 302}
    stored = query(url, "SELECT title FROM notes WHERE id > %s", (NOTES,))
    return len(promised - {name for (name,) in stored})


def what(answer: Answer) -> str:
    is_late = answer.status == EXPECTED[answer.kind]
    return f"{answer.kind}: {f'after {GIVE_UP} s' if is_late else answer.status or 'no answer'}"


def report(number: int, took: float, answers: list[Answer], lost: int, letters: Letters) -> None:
    latencies = sorted(answer.latency for answer in answers)
    failed = Counter(what(answer) for answer in answers if answer.is_failed)
    middle, high = (percentile(latencies, percent) * MS for percent in (50, 99))
    say(f"releases  {number} in {took:.0f} s")
    say(f"requests  {len(answers):,}: {failed.total()} failed {dict(failed) if failed else ''}".rstrip())
    say(f"latency   p50 {middle:.0f} ms, p99 {high:.0f} ms, slowest {latencies[-1] * MS:.0f} ms")
    say(f"notes     {lost} lost of those that were answered as stored")
    say(f"jobs      {len(letters.deferred)}: {letters.lost} lost, {letters.twice} done twice")
    sys.exit(1 if failed or lost or letters.lost or letters.twice else 0)


if __name__ == "__main__":
    main()
