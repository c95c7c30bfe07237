"""The servers of a test run: the ones that the environment names, else embedded ones on free ports.

They run under a process of their own, which all pytest-xdist workers share. It holds the read end of a pipe from the
process that started it, and stops the servers when that process ends, even if it was killed.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import psycopg2

from tests import databases
from tests.databases import Environment
from tests.waiting import wait_until
from tools.dev import ports, postgres, s3
from tools.dev.processes import DevError

ROOT = Path(__file__).parents[1]
STOP_WITHIN = 60  # seconds
# A file system in memory. A copied database is a thousand files there and gone: a tenth of a disk's CPU and time.
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's own
ROOM = 4 * 1024**3  # bytes; a whole run takes about one GiB

BUCKET = "test"
S3_NAMES = (
    *("S3_BUCKET", "S3_ENDPOINT_URL", "S3_REGION", "S3_ADDRESSING", "S3_PREFIX", "S3_PUBLIC_URL"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)
NO_RIGHT = (
    "The role of DATABASE_URL may not create databases, and each test works in a database of its own."
    " Grant it with: psql -c 'ALTER ROLE \"the role\" CREATEDB'"
)


class ServersUnavailable(Exception):
    """Raised where the servers did not start; the message says what to do."""


def place_for_data() -> Path | None:
    """Return where servers keep data that nobody needs after the run; None: where temporary files are kept."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


@contextmanager
def folder_for_postgres() -> Iterator[Path]:
    """Yield a folder that is removed afterwards. Not one of pytest's: PostgreSQL does not run as root, and any pytest
    that starts on this machine closes their common parent to other users, also while PostgreSQL starts.
    """
    place = place_for_data()
    with tempfile.TemporaryDirectory(prefix="semicircle-tests-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class ServerProcess:
    """Start and stop the process that holds the servers; it removes their data when it ends."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="semicircle-tests-", dir=place_for_data()))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers", str(self.folder)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal ends the tests first, then the servers
            )

    def stop(self) -> None:
        self._process.communicate(timeout=STOP_WITHIN)


def environment_of(folder: Path) -> Environment:
    """Return DATABASE_URL, S3_* and AWS_* of the servers in `folder`, once they run. Raises: ServersUnavailable."""
    answer = folder / "environment.json"
    wait_until(answer.exists, f"the servers run; see {folder}/log")
    environment: Environment = json.loads(answer.read_text())
    if "error" in environment:
        raise ServersUnavailable(environment["error"])
    return environment


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[Environment]:
    """Yield DATABASE_URL, S3_* and AWS_* of running servers; what is started here ends with the block.

    Raises: DevError: one does not start; ServersUnavailable: the tests cannot work on the database server.
    """
    with ExitStack() as stack:
        environment = {
            "SECRET_KEY": secrets.token_hex(32),
            "TEST_RUN": f"test_{secrets.token_hex(4)}",
            **_database(folder, environ, stack),
            **_bucket(folder, environ, stack),
        }
        _require_the_right_to_create_databases(environment)
        stack.callback(databases.drop_databases_of_run, environment)
        yield environment


def _require_the_right_to_create_databases(environment: Environment) -> None:
    try:
        if not databases.may_create_databases(environment):
            raise ServersUnavailable(NO_RIGHT)
    except psycopg2.OperationalError as error:
        raise ServersUnavailable(f"The server of DATABASE_URL does not let us in: {error}") from error


def _database(folder: Path, environ: Mapping[str, str], stack: ExitStack) -> Environment:
    if environ.get("DATABASE_URL"):
        return {"DATABASE_URL": environ["DATABASE_URL"]}
    [port] = ports.find_free(1)
    server = postgres.start(folder / "postgres", port, durable=False, may_create_databases=True)
    stack.callback(server.stop)
    return {"DATABASE_URL": postgres.url(port)}


def _bucket(folder: Path, environ: Mapping[str, str], stack: ExitStack) -> Environment:
    if environ.get("S3_BUCKET"):
        return {name: environ[name] for name in S3_NAMES if name in environ}
    free = s3.free_port()
    stack.callback(s3.start(folder / "s3", free, BUCKET).stop)
    _let_everybody_read_photos(free)
    return {
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": s3.endpoint(free),
        "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
    }


def s3_client(port: int, secret: str = s3.SECRET_KEY) -> Any:
    """Return a client of an embedded S3."""
    keys = {"aws_access_key_id": s3.ACCESS_KEY, "aws_secret_access_key": secret}
    return boto3.client("s3", endpoint_url=s3.endpoint(port), region_name="us-east-1", **keys)


def _let_everybody_read_photos(port: int) -> None:
    """Let them be read under any prefix, since each test has one of its own."""
    resource = f"arn:aws:s3:::{BUCKET}/*/photos/*"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3_client(port).put_bucket_policy(Bucket=BUCKET, Policy=policy)


def main(folder: Path) -> None:
    """Run the servers until stdin ends, which it does with the process that holds the other end of the pipe."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked to end"))
    try:
        with ExitStack() as stack:
            try:
                answer = stack.enter_context(running(folder, os.environ))
            except (DevError, ServersUnavailable) as error:
                answer = {"error": str(error)}
            draft = folder / "environment.draft"
            draft.write_text(json.dumps(answer))
            draft.rename(folder / "environment.json")  # whole, or not there
            sys.stdin.buffer.read()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
