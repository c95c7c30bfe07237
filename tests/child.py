"""A process that a test starts, and that does not outlive it; or PID 1 of a namespace, in place of a container.

For PID 1 the kernel has no default actions.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import wait_until

AS_PID_1 = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc")


@contextmanager
def child(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process and kill it at the end: `Popen` would wait for ever where a test fails in the block."""
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def namespaces_are_allowed() -> bool:
    """Tell if one can be made: only root may."""
    try:
        return subprocess.run([*AS_PID_1, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def first_process(unshare: subprocess.Popen[bytes]) -> psutil.Process:
    """Return PID 1. When it ends the kernel ends all others, and `unshare` exits with its code."""
    outer = psutil.Process(unshare.pid)
    wait_until(outer.children, "the namespace has a process")
    return outer.children()[0]
