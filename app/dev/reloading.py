"""A process that is restarted when the code changes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from app.dev.processes import Child

Files = Callable[[], Iterable[Path]]


class Reloading:
    """
    Args:
        start: starts the process.
        files: what it is made of.
    """

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
            click.echo(f"Restarting the {self.name}: {changed} has changed.")
            self._child.stop()
            self._child = self._start()
        elif self._child.process.poll() is not None and not self.has_ended:
            self.has_ended = True
            click.echo(f"The {self.name} has ended; it restarts when the code changes.")

    @property
    def name(self) -> str:
        return self._child.name

    def stop(self) -> None:
        self._child.stop()

    def _times(self) -> dict[Path, int]:
        times = {}
        for path in self._files():
            try:
                times[path] = path.stat().st_mtime_ns
            except FileNotFoundError:  # an editor replaces files; the next look finds the new one
                continue
        return times


def code(root: Path) -> Files:
    """The Python files of the application and its configuration."""
    return lambda: [
        *root.glob("*.py"),
        *(path for folder in ("app", "environment") for path in (root / folder).rglob("*.py")),
    ]


def code_and_assets(root: Path) -> Files:
    """Also what the web reads once: static files, whose names hold a hash, and translations; templates are no such."""
    assets = (root / "app" / "static", root / "app" / "translations")
    return lambda: [*code(root)(), *(path for folder in assets for path in folder.rglob("*") if path.is_file())]
