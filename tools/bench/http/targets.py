"""The targets: what is measured, each as a server with two processes that is ready and knows its readers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg2
from psycopg2 import sql

from app.dev import ports, postgres
from app.dev.processes import Child
from tools.bench import service
from tools.bench.http import earlier, peers, rows
from tools.bench.http.cost import megabytes_a_worker
from tools.bench.http.rows import Visitor

OURS, EARLIER = "ours", "earlier"
FIRST_PAGES = 20  # so that every process has served some


@dataclass(frozen=True)
class Target:
    """
    Args:
        pid: of the process that leads the others.
        megabytes: PSS of a web process that has served its first pages.
        readers, writers: signed-in browsers.
        owners: of those with few and with many notes.
    """

    name: str
    port: int
    pid: int
    megabytes: float
    readers: list[Visitor]
    writers: list[Visitor]
    owners: dict[str, Visitor]


class Checkout(NamedTuple):
    """A commit of this service, and the environment that it runs in."""

    root: Path
    environment: dict[str, str]


@dataclass(frozen=True)
class Stage:
    """What the targets stand on.

    Args:
        folder: of the run: data, logs, templates.
        services: this one and, where the history has it, the earlier one. The peers share the database of this one.
    """

    folder: Path
    database: Child
    database_port: int
    services: dict[str, Checkout]

    @property
    def names(self) -> list[str]:
        return [*self.services, *peers.PEERS]

    @property
    def ours(self) -> dict[str, str]:
        return self.services[OURS].environment


@contextmanager
def stage(folder: Path, *, with_earlier: bool = True) -> Iterator[Stage]:
    """A PostgreSQL with a database for the service and one for its earlier commit, both with the same rows."""
    with ExitStack() as stack:
        [port] = ports.find_free(1)
        database = postgres.start(folder / "postgres", port, may_create_databases=True)
        stack.callback(database.stop)
        ours = {**service.production(port), "WEB_CONCURRENCY": str(peers.WORKERS)}
        services = {OURS: Checkout(service.ROOT, ours)}
        root = stack.enter_context(earlier.worktree(folder)) if with_earlier else None
        if root:
            url = create_database(ours["DATABASE_URL"], EARLIER)
            services[EARLIER] = Checkout(root, earlier.environment(root, ours, url))
        for checkout in services.values():
            service.release(checkout.environment, folder, checkout.root)
            rows.fill(checkout.environment["DATABASE_URL"])
        yield Stage(folder, database, port, services)


def create_database(url: str, name: str) -> str:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    connection.close()
    return f"{url.rpartition('/')[0]}/{name}"


@contextmanager
def serving(on: Stage, name: str) -> Iterator[Target]:
    """Start a target and sign its readers in."""
    with running(on, name) as (port, pid):
        megabytes = fresh_megabytes(port, pid)
        readers, writers, owners = (rows.sign_in(port, people) for people in (rows.READERS, rows.WRITERS, rows.OWNED))
        yield Target(name, port, pid, megabytes, readers, writers, dict(zip(rows.OWNED, owners, strict=True)))


@contextmanager
def running(on: Stage, name: str, database_port: int | None = None) -> Iterator[tuple[int, int]]:
    """Start a target; its port and its process.

    Args:
        database_port: where it finds PostgreSQL, when that is a proxy's.
    """
    if name in on.services:
        root, environment = on.services[name]
        started = _service(through(environment, on, database_port), root)
    else:
        started = peers.running(name, through(on.ours, on, database_port), on.folder)
    with started as (port, pid):
        yield port, pid


def fresh_megabytes(port: int, pid: int) -> float:
    for _ in range(FIRST_PAGES):
        service.get(port)
    return megabytes_a_worker(pid, peers.WORKERS)


@contextmanager
def _service(environment: dict[str, str], root: Path) -> Iterator[tuple[int, int]]:
    with service.running(environment, root=root) as running:
        yield running.port, running.pid


def through(environment: dict[str, str], on: Stage, database_port: int | None) -> dict[str, str]:
    """The environment with the database behind another port."""
    url = environment["DATABASE_URL"].replace(f":{on.database_port}/", f":{database_port or on.database_port}/")
    return {**environment, "DATABASE_URL": url}
