"""A standby: a PostgreSQL in recovery, as readers meet it during a failover. It may be read, and takes no changes."""

import os
from pathlib import Path

from app.dev import postgres


def make_standby(directory: Path) -> None:
    """Have the server on these data, which is stopped, start as a standby from now on."""
    signal = directory / "standby.signal"
    signal.touch()
    if os.geteuid() == 0:
        os.chown(signal, postgres.owner(), -1)  # PostgreSQL opens it for writing


def make_primary(directory: Path) -> None:
    """Undo `make_standby`; the server is stopped again."""
    (directory / "standby.signal").unlink()
