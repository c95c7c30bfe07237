"""The processes of our own code, the worker and the web, which start again when the code changes.

The web is Flask's own server, on a socket that `make dev` holds while it starts the server again: a browser waits for
the new code and is never refused. Flask's own reloader does the same with two environment variables, but it imports the
whole application twice, one after the other.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click
import urllib3
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from online_migrations.state import AT_HEAD, BEHIND, read_schema_state
from tools.dev.processes import Child, spawn

FLASK = [sys.executable, "-m", "flask"]
WEB = [*FLASK, "run"]
WORKER = [*FLASK, "worker"]

Files = Callable[[], Iterable[Path]]


class Reloading:
    """Restart a process when the files change that it is made of."""

    def __init__(self, start: Callable[[], Child], files: Files) -> None:
        self._start = start
        self._files = files
        self._seen = self._times()
        self._child = start()
        self.has_ended = False

    def follow(self) -> None:
        """Look for changes. A process that ended by itself, for a typing error say, waits for the next one."""
        times = self._times()
        if times != self._seen:
            changed = next((path for path in {**times, **self._seen} if times.get(path) != self._seen.get(path)), None)
            self._seen, self.has_ended = times, False
            click.echo(f"Restarting the {self._child.name}: {changed} has changed.")
            self.stop()
            self._child = self._start()
        elif self._child.process.poll() is not None and not self.has_ended:
            self.has_ended = True
            click.echo(f"The {self._child.name} has ended; it restarts when the code changes.")

    def stop(self) -> None:
        self._child.stop()

    def _times(self) -> dict[Path, int]:
        times = {}
        for path in self._files():
            with suppress(FileNotFoundError):  # an editor replaces files; the next look finds the new one
                times[path] = path.stat().st_mtime_ns
        return times


def code(root: Path) -> Files:
    """Find the Python files of the application and its configuration."""
    return lambda: [
        *root.glob("*.py"),
        *(path for folder in ("app", "environment") for path in (root / folder).rglob("*.py")),
    ]


def code_and_assets(root: Path) -> Files:
    """Find these, and what the web reads once: static files, whose names hold a hash, and translations; no template."""
    assets = (root / "app" / "static", root / "app" / "translations")
    return lambda: [*code(root)(), *(path for folder in assets for path in folder.rglob("*") if path.is_file())]


def start_web(root: Path, listener: socket.socket) -> Child:
    """Start the server. Code that cannot be imported is shown as an error page, as under Flask's reloader."""
    port = listener.getsockname()[1]
    # As werkzeug's reloader tells its child that it is one, and which open file is the socket.
    inherited = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(listener.fileno())}
    command = [*WEB, "--debug", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    process = spawn(command, cwd=root, env={**os.environ, **inherited}, pass_fds=[listener.fileno()])
    return Child("web", process)


def answers(port: int) -> bool:
    """Ask the web for /readyz; what it says is for the pages to show."""
    try:
        urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", timeout=1, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return True


def pending_migrations(url: str) -> int | None:
    """Return how many migrations `flask db upgrade` has to run; None where that is left to it to explain.

    So it is with a database that does not answer, or that a newer release migrated.
    """
    try:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
        with engine.connect() as connection:
            state = read_schema_state(connection)
    except SQLAlchemyError:
        return None
    return len(state.pending) if state.name in (AT_HEAD, BEHIND) else None
