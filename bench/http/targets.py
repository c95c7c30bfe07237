"""The targets: what is measured, each as a server with two processes that is ready and knows its readers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from app.dev import ports, postgres
from app.dev.processes import Child
from bench import service
from bench.http import earlier, peers, rows
from bench.http.cost import megabytes_a_worker
from bench.http.rows import Visitor

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


@dataclass(frozen=True)
class Stage:
    """What the targets stand on.

    Args:
        ours, earlier: environments of the services; `earlier` is None without a history.
    """

    folder: Path
    database: Child
    database_port: int
    ours: dict[str, str]
    earlier: dict[str, str] | None
    root: Path | None

    @property
    def names(self) -> list[str]:
        return [OURS, *([EARLIER] if self.earlier else []), *peers.PEERS]


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A PostgreSQL with a database for the service and one for its earlier commit, both with the same rows."""
    with ExitStack() as stack:
        [port] = ports.find_free(1)
        database = postgres.start(folder / "postgres", port, may_create_databases=True)
        stack.callback(database.stop)
        ours = {**service.production(port), "WEB_CONCURRENCY": str(peers.WORKERS)}
        service.release(ours, folder)
        rows.fill(ours["DATABASE_URL"])
        root = stack.enter_context(earlier.worktree(folder))
        before = None
        if root:
            url = create_database(ours["DATABASE_URL"], EARLIER)
            before = earlier.environment(root, ours, url)
            service.release(before, folder, root)
            rows.fill(url)
        yield Stage(folder, database, port, ours, before, root)


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
    if name == OURS:
        started = _service(through(on.ours, on, database_port), service.ROOT)
    elif name == EARLIER:
        assert on.earlier  # noqa: S101 - it is named only where there is a history
        assert on.root  # noqa: S101
        started = _service(through(on.earlier, on, database_port), on.root)
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
