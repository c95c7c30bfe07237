"""The service by the Procfile's commands, or as an application in this process, with a PostgreSQL of its own."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg2
from flask import Flask

from app import create_app
from app.extensions import db
from config import DevelopmentConfig
from tools.dev import ports, postgres
from tools.dev.processes import Child, spawn

ROOT = Path(__file__).parents[2]
START_WITHIN = 60  # seconds
THROUGH_TLS = {"X-Forwarded-Proto": "https"}  # as the platform's router says
PAGE = "/sign-in"  # what a stranger needs first
SECRET_KEY = secrets.token_hex(32)  # one for all that a command starts: each accepts what another has signed


@dataclass(frozen=True)
class Service:
    port: int
    pid: int  # of gunicorn's arbiter, which leads its process group
    log: Path


def production(database_port: int) -> dict[str, str]:
    """Return the environment of a service in production, without a bucket."""
    return {
        "APP_SETTINGS": "config.ProductionConfig",
        "DATABASE_URL": postgres.url(database_port),
        "SECRET_KEY": SECRET_KEY,
        "S3_BUCKET": "none",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def mail(port: int = 1) -> dict[str, str]:
    """Return the environment of a site that sends mail: to nobody, unless to this port, but its pages are there."""
    return {
        "SMTP_URL": f"smtp://127.0.0.1:{port}",
        "MAIL_FROM": "hello@semicircle.example",
        "SITE_URL": "https://semicircle.example",
    }


@contextmanager
def postgresql(data: Path | None = None, **options: bool) -> Iterator[tuple[dict[str, str], Child]]:
    """Run a PostgreSQL in a folder, by default a temporary one, with options of tools.dev.postgres.start.

    Yield the environment of a service on it, and the server.
    """
    [port] = ports.find_free(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = postgres.start(data or Path(folder) / "postgres", port, **options)
        try:
            yield production(port), server
        finally:
            server.stop()


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """Yield the environment of a service with an empty database at head."""
    with postgresql(durable=False) as (environment, _):
        release(environment)
        yield environment


@contextmanager
def application(*, durable: bool = False, **variables: str) -> Iterator[Flask]:
    """Run the block in the context of an application of this process, on a database without tables."""
    with postgresql(durable=durable) as (environment, _):
        values = {"DATABASE_URL": environment["DATABASE_URL"], "LOG_LEVEL": "ERROR", **variables}
        app = create_app(DevelopmentConfig(values))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def upgrade(revision: str = "head") -> None:
    """Migrate the database of the current application."""
    flask_migrate.upgrade(str(ROOT / "migrations"), revision)


def query(url: str, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Run SQL in autocommit, as the service's role, and return its rows."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []


def administer(statement: str) -> None:
    """Run SQL that may take minutes on the database of the current application, whose own connections do not wait."""
    query(db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False), statement)


def create_database(url: str, name: str) -> str:
    """Create a database beside that of a URL, whose role may, and return its own URL."""
    query(url, f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def release(environment: Mapping[str, str], root: Path = ROOT) -> None:
    """Run the Procfile's release. End this command with what it said when it fails."""
    done = subprocess.run(command("release", root), cwd=root, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


@contextmanager
def running(environment: Mapping[str, str], arguments: str = "", root: Path = ROOT) -> Iterator[Service]:
    """Run the Procfile's web line, of this checkout or another one.

    The arguments are gunicorn's, such as another worker class to compare with.
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
    """Return a line of the Procfile for bash, which execs it, as on Heroku: so its process is ours."""
    lines = dict(line.split(": ", 1) for line in (root / "Procfile").read_text().splitlines())
    return ["bash", "-c", lines[name]]


def is_ready(port: int) -> bool:
    try:
        return get(port, "/readyz") == 200
    except OSError:
        return False


def get(port: int, path: str = PAGE) -> int:
    """Return the status of a GET on a new connection. Raises: OSError."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=THROUGH_TLS)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def timed_get(port: int) -> float | None:
    """Return seconds; None when it failed."""
    began = time.perf_counter()
    try:
        status = get(port)
    except OSError:
        return None
    return time.perf_counter() - began if status == 200 else None
