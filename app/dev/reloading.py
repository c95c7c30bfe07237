"""A process of ours that is started anew when the code changes, as the development server does by itself."""

from collections.abc import Callable
from pathlib import Path

import click

from app.dev.processes import Child


class Reloading:
    """
    Args:
        start: starts the process.
        folder: where the code is that it runs.
    """

    def __init__(self, start: Callable[[], Child], folder: Path) -> None:
        self._start = start
        self._folder = folder
        self._changed = self._last_change()
        self._child = start()
        self._has_ended = False

    def follow(self) -> None:
        """Look for changes. A process that ended by itself, over a typing error say, waits for one as well."""
        changed = self._last_change()
        if changed != self._changed:
            self._changed, self._has_ended = changed, False
            self._child.stop()
            self._child = self._start()
        elif self._child.process.poll() is not None and not self._has_ended:
            self._has_ended = True
            click.echo(f"{self._child.name} has ended; it starts again when the code changes.")

    def stop(self) -> None:
        self._child.stop()

    def _last_change(self) -> int:
        return max((path.stat().st_mtime_ns for path in self._folder.rglob("*.py")), default=0)
