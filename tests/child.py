"""A process that a test starts, and that does not outlive it."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def child(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """
    Without the kill, a test that fails in the block would wait for ever: `Popen` waits for its process at the end.

    Args:
        options: as `subprocess.Popen` takes them.
    """
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()
