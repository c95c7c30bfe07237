"""Five releases that start at once, on a database of their own each round: ours, and Flask-Migrate as `flask db init`
writes it. Every step counts itself and builds an index; a round holds when all five end with 0, each step ran exactly
once and every index is valid.

Run: .venv/bin/python -m bench.race --rounds 20
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from app.dev import ports, postgres
from bench.release.servers import ROOT, environment
from tests.release import racing
from tests.release.checkout import Checkout
from tests.release.sessions import Sessions

WITHIN = 120  # seconds, for one round
IMPORTS = "from app.release.operations import *\n"
CONCURRENTLY = """with op.get_context().autocommit_block():
    op.create_index('ix_counters_{step}', 'counters', ['n'], postgresql_concurrently=True)"""

SIDES = ("ours", "plain Flask-Migrate")


class Plain(Checkout):
    """A project that knows Flask-Migrate as its manual shows it, and none of our code."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self.environment, self.running = folder, environ, []
        folder.mkdir()
        shutil.copy(ROOT / "bench/release/plain.py", folder / "app.py")
        subprocess.run(
            [sys.executable, "-m", "flask", "db", "init"], cwd=folder, env=environ, check=True, capture_output=True
        )

    def write_revision(self, number: str, body: str, **options: object) -> None:
        """The same steps in Alembic's own words."""
        super().write_revision(number, body.replace(racing.INDEX.format(step=number), CONCURRENTLY.format(step=number)))
        file = self.folder / f"migrations/versions/{number}_step.py"
        file.write_text(file.read_text().replace(IMPORTS, ""))


@contextmanager
def schema(sessions: Sessions, name: str) -> Iterator[None]:
    sessions.execute(f"CREATE SCHEMA {name}")
    yield
    sessions.execute(f"DROP SCHEMA {name} CASCADE")


def round_of(make: Callable[[], Checkout], sessions: Sessions) -> list[str]:
    """What did not hold."""
    checkout = make()
    checkout.forget_history()
    racing.write_history(checkout, with_indexes=True)
    try:
        codes = racing.race(checkout, WITHIN)
    except subprocess.TimeoutExpired:
        return [f"no end within {WITHIN} s"]
    finally:
        checkout.stop()
    return [f"exit codes {sorted(codes)}"] * any(codes) + racing.faults(sessions, with_indexes=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    held: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="semicircle-", ignore_cleanup_errors=True))
        )
        [port] = ports.find_free(1)
        stack.callback(postgres.start(folder / "postgres", port, durable=False).stop)
        for number in range(rounds):
            for side in SIDES:
                faults = one(side, number, folder, port)
                held[side] += not faults
                print(f"round {number + 1}, {side}: {'; '.join(faults) or 'held'}", flush=True)
    for side in SIDES:
        print(f"{side:20} {held[side]:3} of {rounds} rounds held")


def one(side: str, number: int, folder: Path, port: int) -> list[str]:
    name = f"race_{number}_{SIDES.index(side)}"
    url = make_url(postgres.url(port)).update_query_dict({"options": f"-csearch_path={name}"})
    environ = environment(port) | {"DATABASE_URL": url.render_as_string(hide_password=False)}
    driver = url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    sessions = Sessions(driver)
    make = {
        "ours": lambda: Checkout(folder / name, environ, "config.ProductionConfig"),
        "plain Flask-Migrate": lambda: Plain(folder / name, environ),
    }[side]
    with schema(sessions, name):
        return round_of(make, sessions)


if __name__ == "__main__":
    main()
