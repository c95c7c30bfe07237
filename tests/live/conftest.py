"""The service as a platform runs it: the Procfile's commands, production configuration, gunicorn on a free port."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import WeakSet

import psycopg2
import pytest
import urllib3
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db
from config import TestingConfig
from tests import logfmt
from tests.databases import Environment, migrated_database
from tests.pgbouncer import behind_pooler
from tests.visitor import token_of
from tests.waiting import WITHIN, wait_until
from tools.dev import ports
from tools.dev.processes import Child, spawn

File = tuple[str, bytes, str]  # name, content, content type


class Browser:
    """Act as a client of one service behind the platform's TLS router.

    Args:
        url: scheme, host and port of the service.
        headers: additional headers that the platform's router sets.
    """

    _opened: ClassVar[WeakSet["Browser"]] = WeakSet()

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        # Over TLS, a form has to say that it comes from a page of the site.
        # Each browser has an address of its own, since sign-ups are limited by address.
        self.headers = {
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}",
            "Referer": url.replace("http:", "https:") + "/",
            **headers,
        }
        self.cookies: dict[str, str] = {}
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))
        self._opened.add(self)

    @classmethod
    def hang_up(cls, url: str) -> None:
        """Close the connections to a service for good: when it stops, it would wait for those that are kept alive."""
        for browser in cls._opened:
            if browser.url == url:
                browser._pool.connection_from_url(url).close()

    def request(self, method: str, path: str, **arguments: object) -> urllib3.BaseHTTPResponse:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**self.headers, "Cookie": cookie} if cookie else self.headers
        answer = self._pool.request(method, self.url + path, redirect=False, headers=headers, **arguments)  # type: ignore[arg-type]
        for line in answer.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.request("GET", path)

    def post(self, path: str, /, **fields: str | File) -> urllib3.BaseHTTPResponse:
        token = token_of(self.get("/sign-in").data.decode())
        return self.request("POST", path, fields={"csrf_token": token, **fields})

    def sign_up(self, name: str, password: str) -> urllib3.BaseHTTPResponse:
        return self.post("/sign-up", email=f"{name}@example.com", nickname=name, password=password)


ROOT = Path(__file__).parents[2]
PASSWORD = "a long enough sentence"


@dataclass
class Service:
    url: str
    process: subprocess.Popen[bytes]
    environment: Environment
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def browser(self) -> Browser:
        return Browser(self.url)

    @property
    def worker_log(self) -> Path:
        return self.log.with_name(self.log.name.replace("web-", "worker-"))

    def logged(self, words: str, log: Path | None = None) -> list[str]:
        """Wait for log lines that contain `words` and return them. A request is logged after its response is sent.

        Args:
            log: None: the web's.
        """
        deadline = time.monotonic() + WITHIN
        while not (found := [line for line in (log or self.log).read_text().splitlines() if words in line]):
            assert time.monotonic() < deadline, f"nothing logged of {words}"
        return found

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Run a query on a separate connection and return its rows."""
        with connect(self.environment) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


def connect(environment: Environment) -> closing[psycopg2.extensions.connection]:
    """Open a session of the test's own, past a pooler."""
    url = environment.get("MIGRATION_DATABASE_URL", environment["DATABASE_URL"])
    return closing(psycopg2.connect(url.replace("+psycopg2", "")))


def fetch(url: str, method: str = "GET", timeout: float = 30) -> urllib3.BaseHTTPResponse:
    """Send a request without credentials, as the public does, on a connection of its own."""
    hangs_up = {"Connection": "close"}
    return urllib3.request(method, url, headers=hangs_up, retries=False, redirect=False, timeout=timeout)


def procfile_command(name: str) -> str:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    return lines[name]


PRODUCTION, HERE = "config.ProductionConfig", "127.0.0.1"


@contextmanager
def running_service(env: Environment, folder: Path, settings: str = PRODUCTION, host: str = HERE) -> Iterator[Service]:
    """Run the Procfile's web and worker, with this environment only. Its database is migrated already.

    Args:
        host: by which the service is opened; SITE_URL says so, if the environment has one.
    """
    with running_web(env, folder, settings, host) as web, running("worker", web.environment, web.worker_log):
        yield web


@contextmanager
def running_web(env: Environment, folder: Path, settings: str = PRODUCTION, host: str = HERE) -> Iterator[Service]:
    """Run the Procfile's web alone."""
    url, env = address_and_environment(env, settings, host)
    log = folder / f"web-{env['PORT']}.log"
    with running("web", env, log) as process:
        wait_until_ready(f"http://127.0.0.1:{env['PORT']}", process, log)
        yield Service(url, process, env, log)
        Browser.hang_up(url)


def address_and_environment(environment: Environment, settings: str, host: str) -> tuple[str, Environment]:
    """Return a free address, and the environment of the processes that serve it."""
    [port] = ports.find_free(1)
    url = f"http://{host}:{port}"
    return url, {
        **environment,
        **({"SITE_URL": url} if "SITE_URL" in environment else {}),
        "APP_SETTINGS": settings,
        "WEB_HOST": "127.0.0.1",  # with PORT alone it listens on all addresses
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


@contextmanager
def running(name: str, env: Environment, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the Procfile, and stop it and its descendants at the end."""
    process = spawn(procfile_command(name).split(), log=log, cwd=ROOT, env=env)
    try:
        yield process
    finally:
        Child(name, process, grace=30).stop()
    logfmt.parse_all(log.read_bytes())  # each line of each process of the suite, or the test is red


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + WITHIN
    retries = urllib3.Retry(total=None, connect=int(WITHIN / 0.2), backoff_factor=0.05, backoff_max=0.2)
    answer = urllib3.PoolManager(retries=retries).request("GET", f"{url}/readyz", timeout=5)
    assert answer.status == 200, log.read_text()
    assert process.poll() is None, log.read_text()
    assert time.monotonic() < deadline


@pytest.fixture(scope="session")
def live(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield one service, shared by all tests that do not stop it. Each test creates its own accounts.

    It runs behind a strict connection pooler.
    """
    with (
        migrated_database(server_environment) as environment,
        behind_pooler(environment) as pooled,
        running_service(pooled, tmp_path_factory.mktemp("live")) as service,
    ):
        yield service


WORKERS = "SELECT id FROM procrastinate_workers"
NEXT_JOB = text("""INSERT INTO procrastinate_jobs (queue_name, task_name, args)
    VALUES ('next', 'jobs.requeue_stalled_jobs', '{"timestamp": 0}')""")
LEFT = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'next'"


@dataclass(frozen=True)
class Queue:
    """Hold a database with a queue, and the environment of its workers."""

    app: Flask
    environment: Environment
    folder: Path

    @classmethod
    def of(cls, environment: Environment, folder: Path) -> Self:
        given = {**environment, "APP_SETTINGS": "config.TestingConfig"}
        return cls(create_app(TestingConfig(given)), given, folder)

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.app.app_context():
            found = [tuple(row) for row in db.session.execute(text(query), parameters)]
            db.session.commit()
            return found

    def defer_next(self) -> None:
        """Defer a job that any worker does at once."""
        with self.app.app_context():
            db.session.execute(NEXT_JOB)
            db.session.commit()

    def has_done_the_next(self) -> bool:
        return self.rows(LEFT) == [(0,)]

    @contextmanager
    def worker(self, preparation: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """Yield a worker that is ready. It is stopped at the end if it still runs.

        Args:
            preparation: Python code that it runs before it creates the app.
        """
        before = self.rows(WORKERS)
        log = self.folder / f"worker-{len(list(self.folder.glob('worker-*.log')))}.log"
        factory = log.with_suffix(".py")
        factory.write_text(f"from app import create_app\n{preparation}\napp = create_app()\n")
        env = {
            **self.environment,
            "FLASK_APP": f"{factory}:app",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        with running("worker", env, log) as process:
            wait_until(lambda: set(self.rows(WORKERS)) - set(before), "the worker is ready")
            yield process
