"""A long backfill under load: the worker fills every note while it is killed and replaced, and people write on.

Open-loop traffic goes to gunicorn as in the Procfile, first without and then with the backfill. The worker is killed by
SIGKILL, and replaced as a deploy does it: the new one starts, the release phase runs, the old one gets SIGTERM. (What a
deploy does to the web is measured by tools.bench.handover.) At the end every row is compared.
Run: .venv/bin/python -m tools.bench.release.later [--rows 5000000] [--kills 10] [--deploys 2]
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from app.dev.processes import Child, spawn
from tools.bench.release import revisions, seed, trial
from tools.bench.release.figures import CALM, MS, SLOW, Criterion, Figures, at_most, figures
from tools.bench.release.report import markdown
from tools.bench.release.servers import ROOT, Servers, procfile_command, serving
from tools.bench.release.traffic import Traffic
from tools.bench.release.trial import WARM_UP, Stage, Trial

ROWS = 5_000_000
WINDOW = 30.0  # seconds of the baseline
POLL = 0.1  # seconds between two looks at the progress
WITHIN = 3600.0  # seconds
# A note that is written meanwhile has the default, 0; or was filled, if it came before the default was set.
WRONG = """
SELECT count(*) FROM notes
WHERE number IS DISTINCT FROM id * 7 + user_id AND NOT (id > %s AND coalesce(number, 1) = 0)
"""
FILLED = "SELECT count(*) FROM notes WHERE number <> 0"


class Result(NamedTuple):
    """Rows: with a wrong number; that were filled; that the backfill says to have filled."""

    wrong: int
    filled: int
    counted: int


@dataclass
class Workers:
    """The worker process that is live, and how to end it."""

    servers: Servers
    folder: Path
    started: list[Child] = field(default_factory=list)

    def start(self) -> None:
        """On a platform it has a dyno of its own. Here it shares the machine, so `nice` lets the web go first."""
        log = self.folder / f"worker-{len(self.started)}.log"
        command = ["nice", "-n", "10", *procfile_command("worker")]
        process = spawn(command, log=log, cwd=ROOT, env=dict(self.servers.environment))
        self.started.append(Child("worker", process, log))

    def kill(self) -> None:
        self.started[-1].process.send_signal(signal.SIGKILL)
        self.started[-1].process.wait()
        self.start()

    def deploy(self, migrations: Path) -> None:
        old = self.started[-1]
        self.start()
        log = self.folder / "release.log"
        if revisions.apply("ours", migrations, self.servers.environment, log) != 0:
            raise RuntimeError(log.read_text())
        old.process.send_signal(signal.SIGTERM)
        old.process.wait()

    def stop(self) -> None:
        for child in self.started:
            child.stop()


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, prepared = Path(name), Path(name) / "prepared"
        say(f"inserting {arguments.rows:,} notes")
        seed.prepare(prepared, arguments.rows)
        stage = Stage(prepared, folder, arguments.rows, arguments.rate, seed.visitors())
        with serving(prepared, folder) as servers, workers(servers, folder):
            baseline = observe(stage, servers, lambda: time.sleep(arguments.window), "baseline")
        with serving(prepared, folder) as servers, workers(servers, folder) as live:
            migrations = revisions.write("ours", "backfill-later", folder, servers.environment)
            ours = observe(stage, servers, lambda: fill(arguments, servers, live, migrations), "ours")
            result = Result(
                wrong=scalar(servers, WRONG, arguments.rows),
                filled=scalar(servers, FILLED),
                counted=scalar(servers, "SELECT rows_done FROM schema_backfills"),
            )
    report(baseline, ours)
    held = [say_whether(one) for one in criteria(figures(baseline), figures(ours), ours, result)]
    sys.exit(0 if all(held) else 1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.release.later", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"notes to fill ({ROWS:,})")
    parser.add_argument("--kills", type=int, default=10, help="how often the worker is killed (10)")
    parser.add_argument("--deploys", type=int, default=2, help="how often it is replaced (2)")
    parser.add_argument("--rate", type=float, default=40, help="requests a second (40)")
    parser.add_argument("--window", type=float, default=WINDOW, help=f"seconds of the baseline ({WINDOW:.0f})")
    return parser.parse_args()


@contextmanager
def workers(servers: Servers, folder: Path) -> Iterator[Workers]:
    live = Workers(servers, folder)
    live.start()
    try:
        yield live
    finally:
        live.stop()


def observe(stage: Stage, servers: Servers, act: Callable[[], object], side: str) -> Trial:
    """The answers of the traffic while `act` runs."""
    with Traffic(stage.plan(servers, stage.rate)) as traffic:
        time.sleep(WARM_UP)
        begin = time.monotonic()
        act()
        answers = traffic.stop()
        window = time.monotonic() - begin
    measured = [answer._replace(due=answer.due - begin) for answer in answers if answer.due >= begin]
    seen = Trial("backfill-later", side, window, measured, others=0)
    trial.examine(seen, servers, answers, stage.notes)
    seen.migration, seen.exit_code = ((0, window), 0) if side == "ours" else (None, None)
    return seen


def fill(arguments: argparse.Namespace, servers: Servers, live: Workers, migrations: Path) -> None:
    """Release, then kill and deploy at points that are evenly spread over the rows, until the backfill is done."""
    log = live.folder / "migration.log"
    if revisions.apply("ours", migrations, servers.environment, log) != 0:
        raise RuntimeError(log.read_text())
    acts = [live.kill] * arguments.kills
    for number in range(arguments.deploys):  # spread over the kills
        acts.insert((number + 1) * len(acts) // (arguments.deploys + 1), lambda: live.deploy(migrations))
    for number, act in enumerate(acts, start=1):
        rows = number * arguments.rows // (len(acts) + 1)
        wait(servers, f"SELECT rows_done >= {rows} FROM schema_backfills")
        act()
        say(f"after {rows:,} rows: {'deploy' if act != live.kill else 'kill'}")
    wait(servers, "SELECT state = 'done' FROM schema_backfills")


def wait(servers: Servers, condition: str) -> None:
    """
    Raises:
        TimeoutError: it did not come true; the backfill's record says why.
    """
    deadline = time.monotonic() + WITHIN
    while not scalar(servers, condition):
        if time.monotonic() > deadline or scalar(servers, "SELECT state = 'failed' FROM schema_backfills"):
            raise TimeoutError(scalar(servers, "SELECT row_to_json(b)::text FROM schema_backfills b"))
        time.sleep(POLL)


def scalar(servers: Servers, query: str, *parameters: object) -> Any:
    with servers.connection() as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        [(value,)] = cursor.fetchall()
        return value


def criteria(before: Figures, after: Figures, ours: Trial, result: Result) -> list[Criterion]:
    return [
        at_most("the baseline's p99, without which nothing can be told", before.p99, CALM),
        at_most("p99, against 3 × the baseline's", after.p99, 3 * before.p99),
        Criterion("no request fails", f"{after.failed} of {after.requests}", after.failed == 0),
        Criterion(f"no request takes over {SLOW:.0f} s", f"{after.slow}", after.slow == 0),
        Criterion("what was answered with success is stored", f"{len(ours.lost)} missing", not ours.lost),
        Criterion("no row is wrong", f"{result.wrong} of {ours.rows:,}", result.wrong == 0),
        Criterion(
            "every row is filled once", f"{result.counted:,} of {result.filled:,}", result.counted == result.filled
        ),
    ]


def report(baseline: Trial, ours: Trial) -> None:
    rows: list[tuple[str, ...]] = [("", "requests", "p50 ms", "p99 ms", "max ms", "> 1 s", "failed", "seconds")]
    for one in (baseline, ours):
        of = figures(one)
        latencies = (f"{seconds * MS:.1f}" for seconds in (of.p50, of.p99, of.max))
        rows.append((one.side, str(of.requests), *latencies, str(of.slow), str(of.failed), f"{one.window:.0f}"))
    print("\n".join(markdown(rows)), flush=True)


def say_whether(criterion: Criterion) -> bool:
    say(f"- {'holds' if criterion.holds else 'FALLS SHORT'}: {criterion.promise} ({criterion.measured})")
    return criterion.holds


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
