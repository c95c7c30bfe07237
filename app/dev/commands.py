"""`flask dev`: everything that a developer needs running, from one terminal, ended by Ctrl-C."""

import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from flask import current_app

from app.dev import ports, postgres, s3
from app.dev.errors import DevError, Interrupted
from app.dev.processes import Child, interrupted, pause, read_pid, spawn, stop_orphan
from app.dev.reloading import Reloading

WEB_WITHIN = 60  # seconds until the web listens


@dataclass(frozen=True)
class Checkout:
    """Where things are: the code, and the folder for what `flask dev` keeps."""

    root: Path
    instance: Path


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, envvar="PORT", show_default=True)
def dev(port: int) -> None:
    """Run PostgreSQL, S3, the migrations, the worker and the web; Ctrl-C stops everything."""
    checkout = Checkout(Path(current_app.root_path).parent.resolve(), Path(current_app.instance_path).resolve())
    _heed_signals()
    try:
        checkout.instance.mkdir(parents=True, exist_ok=True)
        with _lock(checkout), ExitStack() as running:
            _run(current_app.config, checkout, port, running)
    except PermissionError as error:
        raise DevError(f"{error.filename} may not be used by this user; start as its owner, or remove it.") from error
    except Interrupted:
        return  # as asked


def _run(config: dict[str, Any], checkout: Checkout, port: int, running: ExitStack) -> None:
    """Start everything in its order and wait; what was started is on the stack, which stops it in reverse."""
    programs = _long_running(checkout, port)
    for name, command in programs.items():
        stop_orphan(name, _pid_file(checkout, name), checkout.root, command[1:4])
    ports.require_free(port, f"choose another: make dev PORT={max(port, 5000) + 1}")

    children = _start_together(_servers(config, checkout), running)
    _migrate(checkout, running)
    worker = Reloading(lambda: _start("worker", programs["worker"], checkout), checkout.root / "app")
    running.callback(worker.stop)
    web = _start("web", programs["web"], checkout)
    running.callback(web.stop)
    web.wait_until(lambda: _listens(port), WEB_WITHIN)

    click.echo(f"Semicircle is on http://127.0.0.1:{port} (Ctrl-C stops everything)")
    while not interrupted.wait(0.5):
        worker.follow()
        for child in [*children, web]:
            child.require_running()
    click.echo("Stopping …")


def _long_running(checkout: Checkout, port: int) -> dict[str, list[str]]:
    """name: command of each process of ours."""
    flask = [sys.executable, "-m", "flask"]
    static = [str(path) for path in sorted((checkout.root / "app" / "static").rglob("*")) if path.is_file()]
    extra = ["--extra-files", os.pathsep.join(static)] if static else []
    return {
        "worker": [*flask, "worker"],
        "web": [*flask, "run", "--debug", "--host", "127.0.0.1", "--port", str(port), *extra],
    }


def _servers(config: dict[str, Any], checkout: Checkout) -> list[Callable[[], Child]]:
    """What starts each embedded server; those that the environment names run elsewhere."""
    servers: list[Callable[[], Child]] = []
    if config["EMBEDDED_POSTGRES"]:
        servers.append(lambda: _start_postgres(config, checkout))
    if config["EMBEDDED_S3"]:
        servers.append(lambda: _start_s3(config, checkout))
    return servers


def _start_postgres(config: dict[str, Any], checkout: Checkout) -> Child:
    port = _port_of(config["SQLALCHEMY_DATABASE_URI"])
    child = postgres.start(checkout.instance / "postgres", port)
    click.echo(f"PostgreSQL is on 127.0.0.1:{port}, its data in {checkout.instance / 'postgres'}")
    return child


def _start_s3(config: dict[str, Any], checkout: Checkout) -> Child:
    endpoint = config["S3_ENDPOINT_URL"]
    child = s3.start(
        checkout.instance / "s3",
        s3.ports_from(_port_of(endpoint)),
        config["S3_BUCKET"],
        config["S3_ACCESS_KEY_ID"],
        config["S3_SECRET_ACCESS_KEY"],
    )
    click.echo(f"S3 is on {endpoint}, its data in {checkout.instance / 's3'}")
    return child


def _port_of(url: str) -> int:
    """The port of an embedded server's URL, which always names one."""
    return int(urlsplit(url).netloc.rpartition(":")[2])


def _start_together(servers: list[Callable[[], Child]], running: ExitStack) -> list[Child]:
    """Start servers at the same time; when one fails, those that did start are on the stack nevertheless."""
    if not servers:
        return []
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(server) for server in servers]
    started = [start.result() for start in starts if not start.exception()]
    for child in started:
        running.callback(child.stop)
    for start in starts:
        start.result()  # raises what kept it from starting
    return started


def _migrate(checkout: Checkout, running: ExitStack) -> None:
    click.echo("Applying migrations")
    command = [sys.executable, "-m", "flask", "db", "upgrade"]
    child = Child("flask db upgrade", spawn(command, cwd=checkout.root))
    running.callback(child.stop)
    while child.process.poll() is None:
        pause(0.05)
    if child.process.returncode != 0:
        child.require_running()


def _start(name: str, command: list[str], checkout: Checkout) -> Child:
    child = Child(name, spawn(command, cwd=checkout.root))
    _pid_file(checkout, name).write_text(f"{child.process.pid}\n")
    return child


def _pid_file(checkout: Checkout, name: str) -> Path:
    return checkout.instance / f"{name}.pid"


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps its meaning
            signal.signal(number, lambda *_: interrupted.set())


@contextmanager
def _lock(checkout: Checkout) -> Iterator[None]:
    """One `flask dev` a checkout. The kernel holds the lock and frees it with the process, so it is never stale."""
    path = checkout.instance / "dev.lock"
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DevError(
                f"Semicircle already runs in {checkout.root} as process {read_pid(path)}; stop that one first."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
