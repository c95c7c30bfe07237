"""The servers of a trial: a fresh copy of the prepared database, and gunicorn as the Procfile starts it."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import urllib3
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, whatever psycopg2 calls it

from app.dev import ports, postgres
from app.dev.processes import Child, spawn

ROOT = Path(__file__).parents[3]
START_WITHIN = 30  # seconds
NOWHERE = "http://127.0.0.1:9"  # the bucket: no page of this measurement touches it
SECRETS = {
    "SECRET_KEY": secrets.token_hex(32),
    "S3_BUCKET": "bench",
    "S3_ENDPOINT_URL": NOWHERE,
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
}


@dataclass(frozen=True)
class Servers:
    web_port: int
    environment: Mapping[str, str]
    """The whole environment of the service and of `flask db upgrade`."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection in autocommit mode."""
        with closing(psycopg2.connect(self.environment["DATABASE_URL"])) as connection:
            connection.autocommit = True
            yield connection


def environment(database_port: int) -> dict[str, str]:
    return {
        **SECRETS,
        "APP_SETTINGS": "config.ProductionConfig",
        "DATABASE_URL": postgres.url(database_port),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def procfile_command(name: str) -> list[str]:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    return lines[name].split()


@contextmanager
def database(data: Path) -> Iterator[dict[str, str]]:
    """An embedded PostgreSQL with durable settings, and the environment that leads to it."""
    [port] = ports.find_free(1)
    with ExitStack() as stack:
        stack.callback(postgres.start(data, port, durable=True).stop)
        yield environment(port)


@contextmanager
def serving(prepared: Path, folder: Path) -> Iterator[Servers]:
    """Run the service on a copy of `prepared`, the data folder of a stopped server. All trials begin with equal files.

    The copy is flushed to disk first, so that no trial pays for the writes of the one before it.
    """
    data = folder / "trial"
    shutil.rmtree(data, ignore_errors=True)
    subprocess.run(["cp", "-a", str(prepared), str(data)], check=True)
    os.sync()
    with database(data) as env, ExitStack() as stack:
        port, log = ports.find_free(1)[0], folder / "web.log"
        command = procfile_command("web")
        web = spawn(command, log=log, cwd=ROOT, env={**env, "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}"})
        stack.callback(Child("gunicorn", web, log).stop)
        _wait_until_ready(port, log)
        yield Servers(port, env)


def _wait_until_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN
    retries = urllib3.Retry(total=None, connect=200, backoff_factor=0.05, backoff_max=0.2)
    answer = urllib3.PoolManager(retries=retries).request("GET", f"http://127.0.0.1:{port}/readyz", timeout=5)
    if answer.status != 200 or time.monotonic() > deadline:
        raise RuntimeError(f"gunicorn is not ready: {log.read_text()[-2000:]}")
