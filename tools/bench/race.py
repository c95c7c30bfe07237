"""Race five `flask db upgrade` that start at once, on five revisions that change rows.

Each revision adds 1 to a column in autocommit, as a data migration does. A revision that ran twice shows as 2.
Plain Alembic and our runner take turns on the same server. Exit code 1 when a round of our runner was not good.
Run: .venv/bin/python -m tools.bench.race
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tools.bench.release import revisions
from tools.bench.service import ROOT, postgresql, query

RACERS = 5
STEPS = 5

REVISION = """\
from alembic import op

revision = "r{step}"
down_revision = {down!r}
phase = "expand"


def upgrade() -> None:
"""
FIRST = """\
    op.execute("CREATE TABLE sums ({columns})")
    op.execute("INSERT INTO sums DEFAULT VALUES")
"""
ADDS = """\
    with op.get_context().autocommit_block():
        op.execute("SELECT pg_sleep(0.2)")  # stands for the work on a table with rows
        op.execute("UPDATE sums SET step_{step} = step_{step} + 1")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="semicircle-race-") as name:
        folder = Path(name)
        with postgresql() as (environment, _):
            commands = [write(side, folder / side, environment) for side in revisions.SIDES]
            outcomes: dict[str, Counter[str]] = {"ordinary Alembic": Counter(), "this runner": Counter()}
            for number in range(1, rounds + 1):
                for side, command in zip(outcomes, commands, strict=True):
                    outcomes[side][race(command, environment)] += 1
                print(f"round {number}: {outcomes}", flush=True)
    for side, counted in outcomes.items():
        print(f"{side}: {counted['good']} of {rounds} good", dict(counted))
    sys.exit(outcomes["this runner"]["good"] < rounds)


def write(side: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Write a migrations folder with only these revisions; return the command that applies them up to one."""
    revisions.begin(side, folder, environment)
    columns = ", ".join(f"step_{step} int DEFAULT 0" for step in range(1, STEPS + 1))
    for step in range(STEPS + 2):  # the last stays pending: at the head our runner would compare our models
        text = REVISION + (ADDS if step else FIRST)
        down = f"r{step - 1}" if step else None
        (folder / f"versions/r{step}.py").write_text(text.format(step=step, down=down, columns=columns))
    return revisions.flask(side, "upgrade", folder)


def race(command: list[str], environment: Mapping[str, str]) -> str:
    """Run one round on an empty database. Return "good", or what went wrong."""
    url = environment["DATABASE_URL"]
    query(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    subprocess.run([*command, "r0"], cwd=ROOT, env=environment, check=True, capture_output=True)
    racers = [
        subprocess.Popen(
            [*command, f"r{STEPS}"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(RACERS)
    ]
    failed = sum(racer.wait() != 0 for racer in racers)
    [sums] = query(url, "SELECT * FROM sums")
    wrong = [number for number in sums if number != 1]
    if not failed and not wrong:
        return "good"
    return f"{failed} failed, {len(wrong)} steps not exactly once"


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
