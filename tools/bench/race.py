"""Race five `flask db upgrade` that start at once, on five revisions that change rows.

Each revision adds 1 to a column in autocommit, as a data migration does. A revision that ran twice shows as 2.
Plain Alembic and our runner take turns on the same server. Run: .venv/bin/python -m tools.bench.race
"""

import argparse
import os
import subprocess
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

revision = "{number}"
down_revision = {down!r}
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SELECT pg_sleep(0.2)")  # stands for the work on a table with rows
        op.execute("UPDATE sums SET {column} = {column} + 1")
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


def write(side: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Write a migrations folder with only these revisions; return the command that applies them."""
    revisions.begin(side, folder, environment)
    for step in range(1, STEPS + 2):  # the last stays pending: at the head our runner would compare our models
        down = f"r{step - 1}" if step > 1 else None
        text = REVISION.format(number=f"r{step}", down=down, column=f"step_{step}")
        (folder / f"versions/r{step}.py").write_text(text)
    return [*revisions.flask(side, "upgrade", folder), f"r{STEPS}"]


def race(command: list[str], environment: Mapping[str, str]) -> str:
    """Run one round on an empty database. Return "good", or what went wrong."""
    url = environment["DATABASE_URL"]
    query(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    columns = ", ".join(f"step_{step} int DEFAULT 0" for step in range(1, STEPS + 1))
    query(url, f"CREATE TABLE sums ({columns}); INSERT INTO sums DEFAULT VALUES")
    racers = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
