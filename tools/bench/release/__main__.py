"""Compare the latency of HTTP requests during a schema migration: plain Alembic against our runner, in one run.

Each trial gets a fresh copy of the same database (a million notes), gunicorn as in the Procfile, and an open-loop load
at a constant rate. The baseline is the same load without a migration. Run: .venv/bin/python -m tools.bench.release
"""

import argparse
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from tools.bench.figures import MS
from tools.bench.release import seed, trial
from tools.bench.release.figures import CALM, figures, table
from tools.bench.release.trial import ORDER, SCENARIOS, Scenario, Stage, Trial

NOTES = 1_000_000
QUICK_NOTES = 100_000
QUICK_WINDOW = 14  # seconds
LEAST_RATE = 40  # requests a second

say = partial(print, flush=True)


def main() -> None:
    arguments = parse()
    names = arguments.scenario or [scenario.name for scenario in SCENARIOS]
    notes = arguments.rows or (QUICK_NOTES if arguments.quick else NOTES)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, prepared = Path(name), Path(name) / "prepared"
        say(f"inserting {notes:,} notes and {2 * notes:,} numbers")
        seed.prepare(prepared, notes)
        stage = Stage(prepared, folder, notes, 0, seed.visitors())
        most = trial.most(stage, 2 if arguments.quick else 6)
        stage = replace(stage, rate=arguments.rate or max(LEAST_RATE, round(most / 2)))
        say(f"the machine does {most:.0f} requests a second; each trial asks for {stage.rate:.0f}")
        trials = []
        for number, scenario in enumerate(scenario for scenario in SCENARIOS if scenario.name in names):
            # The order alternates, so that a machine that gets slower does not always hurt the same side.
            order = ORDER if number % 2 == 0 else ORDER[::-1]
            trials += [run(stage, shortened(scenario, arguments.quick), side) for side in order]
    print("\n".join(table(trials)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench.release", description=__doc__)
    parser.add_argument("--scenario", action="append", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_NOTES:,} notes and short windows, to try it")
    parser.add_argument("--rows", type=int, help=f"notes; {NOTES:,} when not given")
    parser.add_argument("--rate", type=float, help="requests a second; half of what is possible when not given")
    return parser.parse_args()


def shortened(scenario: Scenario, quick: bool) -> Scenario:
    return scenario._replace(window=min(scenario.window, QUICK_WINDOW)) if quick else scenario


def run(stage: Stage, scenario: Scenario, side: str) -> Trial:
    measured = trial.run(stage, scenario, side)
    of = figures(measured)
    say(f"{scenario.name} {side}: p99 {of.p99 * MS:.0f} ms, slowest {of.max * MS:.0f} ms, {of.failed} failed")
    if measured.exit_code:
        say(measured.log[-2000:])
    if side == "baseline" and of.p99 > CALM:
        say(f"The baseline's p99 is over {CALM * MS:.0f} ms: this machine is too busy to tell anything.")
    return measured


if __name__ == "__main__":
    main()
