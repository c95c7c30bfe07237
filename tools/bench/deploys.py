"""How soon bin/deploy is red: each way to fail of tests/deployment/failures.py, against the stand-in for Heroku.

    .venv/bin/python -m tools.bench.deploys

Prints seconds from the end of the release phase to the exit code, or of the whole command where it fails before there
is a release; of a release that never ends, from its time limit. Exit code 1: one was green, said something else than it
has to, or took longer than MOST.
"""

import contextlib
import io
import re
import sys
import tempfile
import time
from pathlib import Path

from tests.deployment.failures import FAILURES, Failure
from tests.deployment.world import make_template, world_in
from tools.deployment.limits import Limits

MOST = 5.0  # seconds
POLL = Limits().poll  # as a developer has it; the tests ask more often


def measure(failure: Failure, folder: Path, template: Path) -> tuple[bool, float]:
    """Whether it was red as it has to be, and after how many seconds."""
    with world_in(folder, template) as world:
        failure.plant(world)
        began = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = world.deploy(failure.deploy, limits=failure.waits._replace(poll=POLL))
        ended = time.monotonic()
        is_red = code == 1 and re.search(rf"ended: red\. .*{failure.says}", world.log()) is not None
        return is_red, ended - max(began, world.app(failure.deploy).ended_at)


def main() -> int:
    missed, slowest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        make_template(template)
        for number, (name, failure) in enumerate(FAILURES.items()):
            is_red, seconds = measure(failure, Path(folder) / str(number), template)
            missed += not is_red or seconds > MOST
            slowest = max(slowest, seconds)
            print(f"{'red' if is_red else 'NOT RED':<8} {seconds:5.2f} s  {name}")
    print(f"{len(FAILURES) - missed} of {len(FAILURES)} red within {MOST:g} s; the slowest after {slowest:.2f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
