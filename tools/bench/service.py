"""The service by the Procfile's commands, on a free port, with a PostgreSQL of its own: for measurements over HTTP."""

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from app.dev import ports, postgres
from app.dev.processes import Child, spawn

ROOT = Path(__file__).parents[2]
START_WITHIN = 60  # seconds
THROUGH_TLS = {"X-Forwarded-Proto": "https"}  # as the platform's router says
PAGE = "/sign-in"  # what a stranger needs first


@dataclass(frozen=True)
class Service:
    port: int
    pid: int  # of gunicorn's arbiter, which leads its process group
    log: Path


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """The environment of a service with an empty database at head."""
    [port] = ports.find_free(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = postgres.start(Path(folder) / "postgres", port, durable=False)
        environment = production(port)
        try:
            release(environment, Path(folder))
            yield environment
        finally:
            server.stop()


def production(database_port: int) -> dict[str, str]:
    """The environment of a service in production, without a bucket."""
    return {
        "APP_SETTINGS": "config.ProductionConfig",
        "DATABASE_URL": postgres.url(database_port),
        "SECRET_KEY": secrets.token_hex(32),
        "S3_BUCKET": "none",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def release(environment: dict[str, str], folder: Path, root: Path = ROOT) -> None:
    """Run the Procfile's release; end this command with what it said when it fails."""
    log = folder / "release"
    if spawn(command("release", root), log=log, cwd=root, env=environment).wait() != 0:
        sys.exit(log.read_text())


@contextmanager
def running(environment: dict[str, str], arguments: str = "", root: Path = ROOT) -> Iterator[Service]:
    """Run the Procfile's web line.

    Args:
        arguments: of gunicorn, such as another worker class to compare with.
        root: the checkout, where it is another commit's.
    """
    [port] = ports.find_free(1)
    env = {**environment, "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port} {arguments}"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = spawn(command("web", root), log=log, cwd=root, env=env)
        child = Child("web", process, log, grace=30)
        try:
            child.wait_until(lambda: is_ready(port), START_WITHIN)
            yield Service(port, process.pid, log)
        finally:
            child.stop()


def command(name: str, root: Path = ROOT) -> list[str]:
    """A line of the Procfile, which may be another commit's. bash, as on Heroku, execs it: so its process is ours."""
    lines = dict(line.split(": ", 1) for line in (root / "Procfile").read_text().splitlines())
    return ["bash", "-c", lines[name]]


def is_ready(port: int) -> bool:
    try:
        return get(port, "/readyz") == 200
    except OSError:
        return False


def get(port: int, path: str = PAGE) -> int:
    """The status of a GET on a new connection. Raises: OSError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=THROUGH_TLS)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def timed_get(port: int) -> float | None:
    """Seconds; None when it failed."""
    began = time.perf_counter()
    try:
        status = get(port)
    except OSError:
        return None
    return time.perf_counter() - began if status == 200 else None
