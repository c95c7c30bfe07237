"""`make dev`: everything that a developer needs running, from one terminal, ended by Ctrl-C.

FLASK_APP names this module, also for the processes that are started here: the application as it is, with the command
`dev`, and with a log that leaves out what only fills the terminal.
"""

import fcntl
import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app

import app
from tools.dev import postgres, reloading, s3, servers
from tools.dev.processes import Child, DevError, Interrupted, clean_up, interrupted, noted, read_pid, spawn, telling
from tools.dev.reloading import FLASK, WEB, WORKER, Reloading, pending_migrations
from tools.dev.servers import Addresses, Checkout

READY_WITHIN = 60  # seconds from the start of the web until it answers

# Style sheets and pictures of each page, and the question whether the web answers.
UNINTERESTING = re.compile(r"(GET|HEAD) /(static/|healthz|readyz)")
SUCCESS = {"200", "304"}
NOISE = (
    " * Debugger is active",
    " * Debugger PIN",  # werkzeug says it again when a page asks for it
    "Running upgrade",  # `_migrate` says how many ran
)


def create_app() -> Flask:
    return for_developers(app.create_app())


def for_developers(service: Flask) -> Flask:
    service.cli.add_command(dev)
    for name in ("werkzeug", "alembic.runtime.migration"):
        logging.getLogger(name).addFilter(is_worth_a_line)
    return service


def is_worth_a_line(record: logging.LogRecord) -> bool:
    if record.getMessage().startswith(NOISE):
        return False
    match record.args:
        case (request, status, _):  # werkzeug's line of a request: '"%s" %s %s'
            return not (UNINTERESTING.search(str(request)) and str(status) in SUCCESS)
    return True


@click.command("dev")
def dev() -> None:
    """Run PostgreSQL, S3, the migrations, the worker and the web; Ctrl-C stops everything."""
    checkout = Checkout(Path(current_app.root_path).parent.resolve(), Path(current_app.instance_path).resolve())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps its meaning
            signal.signal(number, lambda *_: interrupted.set())
    try:
        checkout.instance.mkdir(parents=True, exist_ok=True)
        with _lock(checkout), ExitStack() as running:
            _run(current_app.config, checkout, running)
    except PermissionError as error:
        raise DevError(f"{error.filename} may not be used by this user; start as its owner, or remove it.") from error
    except Interrupted:
        return  # as asked


def _run(config: dict[str, Any], checkout: Checkout, running: ExitStack) -> None:
    """Start everything and wait. What was started is on the stack, which stops it in reverse."""
    _stop_orphans(checkout)
    chosen = servers.choose(config)
    running.callback(chosen.web.close)
    click.echo("Starting the servers")
    starting = servers.start(config, checkout, chosen, running)
    url = postgres.url(chosen.postgres) if chosen.postgres else config["MIGRATION_DATABASE_URI"]
    if chosen.postgres:
        wait = telling("starting PostgreSQL")
        while not starting["PostgreSQL"].done():
            wait()
        starting["PostgreSQL"].result()
    pending = pending_migrations(url)
    if pending != 0:
        _migrate(checkout, running, pending)
    ours = _start_ours(checkout, chosen, running)
    children = [server.result() for server in starting.values()]
    click.echo(f"Semicircle is on http://localhost:{chosen.web_port} (Ctrl-C stops everything)")
    while not interrupted.wait(0.5):
        for process in ours:
            process.follow()
        for child in children:
            child.require_running()
    click.echo("Stopping …")


def _stop_orphans(checkout: Checkout) -> None:
    """Stop what an earlier run left behind when it was killed; it would hold our ports."""
    clean_up("web", checkout.pid_file("web"), checkout.root, WEB[1:])
    clean_up("worker", checkout.pid_file("worker"), checkout.root, WORKER[1:])
    postgres.stop_left_behind(checkout.postgres)
    s3.stop_left_behind(checkout.s3)


def _migrate(checkout: Checkout, running: ExitStack, pending: int | None) -> None:
    click.echo("Applying migrations")
    child = Child("flask db upgrade", spawn([*FLASK, "db", "upgrade"], cwd=checkout.root))
    running.callback(child.stop)
    wait = telling("applying migrations")
    while child.process.poll() is None:
        wait()
    if child.process.returncode != 0:
        child.require_running()
    if pending:
        click.echo("1 migration ran" if pending == 1 else f"{pending} migrations ran")


def _start_ours(checkout: Checkout, chosen: Addresses, running: ExitStack) -> list[Reloading]:
    """Start the worker and the web at the same time, and wait until the web answers. Neither waits for the bucket."""
    root, worker_pid, web_pid = checkout.root, checkout.pid_file("worker"), checkout.pid_file("web")
    worker = Reloading(lambda: noted(Child("worker", spawn(WORKER, cwd=root)), worker_pid), reloading.code(root))
    running.callback(worker.stop)
    site = Reloading(lambda: noted(reloading.start_web(root, chosen.web), web_pid), reloading.code_and_assets(root))
    running.callback(site.stop)
    click.echo("Starting the worker and the web")
    deadline, wait = time.monotonic() + READY_WITHIN, telling("starting the worker and the web")
    while not (site.has_ended or reloading.answers(chosen.web_port)):
        worker.follow()
        site.follow()
        if time.monotonic() > deadline:
            raise DevError(f"The web does not answer after {READY_WITHIN} seconds; what it said is above.")
        wait()
    return [worker, site]


@contextmanager
def _lock(checkout: Checkout) -> Iterator[None]:
    """Allow one `make dev` a checkout. The kernel frees the lock with the process, so it is never stale."""
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
        file.truncate(0)
