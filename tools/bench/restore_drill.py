"""Time `flask restore-drill` with 1,000,000 notes of 100 Korean letters, and see that it misses three.

Against what nobody can do without: pg_restore alone, with one process, of the same dump. The notes are made before the
indexes of the search, which the last revisions build. All of it takes some ten minutes and 6 GB of disk.
Run: .venv/bin/python -m tools.bench.restore_drill; with a number of notes for another one.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from app import create_app, storage
from config import DevelopmentConfig
from tools.bench.service import create_database, postgresql, query, upgrade
from tools.dev import postgres, s3

NOTES = 1_000_000
ACCOUNTS = 1_000
PHOTOS = 500
BATCH = 20_000  # notes in one statement
BEFORE_THE_INDEXES = "0029"  # the revision
WORDS = "상현달은 정오쯤 떠서 자정쯤 진다. 저녁에 남쪽 하늘에서 찾아볼 것. 반달. 멸치 육수, 감자 두 개, 애호박 반. "
USERS = """
INSERT INTO users (email, nickname, nickname_key, password_hash)
SELECT n || '@example.com', n, n, '' FROM generate_series(1, %s) n"""
FILL = """
INSERT INTO notes (user_id, title, content)
SELECT 1 + n %% %s, '메모 ' || n, substr(repeat(%s, 3), 1 + n %% 70, 100) FROM generate_series(%s, %s) n"""
PLANTED = "DELETE FROM notes WHERE id IN (1, %(middle)s, %(last)s)"


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    free = s3.free_port()
    bucket = s3.start(folder / "s3", free, "bench")
    with postgresql(folder / "postgres", may_create_databases=True) as (environment, _):
        try:
            yield {
                **environment,
                "S3_BUCKET": "bench",
                "S3_ENDPOINT_URL": s3.endpoint(free),
                "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
                "LOG_LEVEL": "ERROR",
                "APP_SETTINGS": "config.DevelopmentConfig",
            }
        finally:
            bucket.stop()


def fill(url: str, notes: int) -> None:
    upgrade(BEFORE_THE_INDEXES)
    query(url, USERS, (ACCOUNTS,))
    for start in range(0, notes, BATCH):
        query(url, FILL, (ACCOUNTS, WORDS, start + 1, min(start + BATCH, notes)))
    for account in range(1, PHOTOS + 1):
        photo = storage.put(storage.new_key("photos", "webp"), b"a photo", "image/webp")
        query(url, "UPDATE users SET image_url = %s WHERE id = %s", (photo, account))
    query(url, "VACUUM ANALYZE")
    upgrade()


def copy_without_three(url: str, notes: int) -> str:
    """Return the URL of a copy of the database, in which three notes are missing, and are in no figure either."""
    other = create_database(url, "other")
    query(other, "CREATE DATABASE copy TEMPLATE semicircle")  # from beside: of what is copied nobody may have a session
    copy = url.removesuffix("/semicircle") + "/copy"
    query(copy, PLANTED, {"middle": notes // 2, "last": notes})
    return copy


def timed(what: str, action: Callable[[], subprocess.CompletedProcess[bytes]]) -> int:
    """Print the time, return the exit code. CPU is PostgreSQL's and the command's: others may use the machine too."""
    began, used = time.monotonic(), cpu_seconds()
    done = action()
    took, cpu = time.monotonic() - began, cpu_seconds() - used
    print(f"{what:32} {took:7.1f} s, {cpu:7.1f} s of CPU, exit {done.returncode}", flush=True)
    return done.returncode


def cpu_seconds() -> float:
    """Return the CPU of what has ended among our children and theirs; PostgreSQL's sessions are the latter."""
    times = [psutil.Process().cpu_times(), *(child.cpu_times() for child in psutil.Process().children())]
    return sum(one.children_user + one.children_system for one in times)


def run(environment: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, env=environment, check=False)


def main(notes: int) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, servers(Path(name)) as environment:
        folder, url = Path(name), environment["DATABASE_URL"]
        folder.chmod(0o755)  # PostgreSQL does not run as root
        began = time.monotonic()
        with create_app(DevelopmentConfig(environment)).app_context():
            fill(url, notes)
        print(
            f"{notes:,} notes of {ACCOUNTS:,} accounts, 100 letters each, filled in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        utc = {**environment, "TZ": "UTC"}
        dump, other = folder / "night.dump", folder / "planted.dump"
        pg_dump, pg_restore = (postgres.programs() / program for program in ("pg_dump", "pg_restore"))
        timed("pg_dump", lambda: run(utc, pg_dump, "-Fc", "-f", dump, url))
        print(f"{'the dump':32} {dump.stat().st_size / 2**20:7.0f} MB")
        timed("flask restore-drill", lambda: run(environment, "flask", "restore-drill", dump))
        print(
            f"{'the largest process of it':32} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:7.0f} MB"
        )
        target = create_database(url, "alone")
        timed("pg_restore alone, one process", lambda: run(utc, pg_restore, "--no-owner", "-d", target, dump))
        run(utc, pg_dump, "-Fc", "-f", other, copy_without_three(url, notes))
        found = timed("with three notes missing", lambda: run(environment, "flask", "restore-drill", other))
        sys.exit(0 if found == 1 else "three missing notes were not found")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else NOTES)
