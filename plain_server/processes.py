"""The processes of releases: started on their own, found again, and stopped.

No file of process ids can be out of date, or be lost with a hook that was killed: each process says in its environment
what it is, and the kernel's process table is asked.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from plain_server.place import Place

PLACE, NAME, VERSION = "PLAIN_SERVER_PLACE", "PLAIN_SERVER_PROCESS", "PLAIN_SERVER_RELEASE"
POLL = 0.05  # seconds


@dataclass(frozen=True)
class Process:
    """A process group of the Procfile.

    Args:
        port: where a web listens; 0 for others.
    """

    group: int
    name: str
    version: int
    port: int


def start(place: Place, name: str, command: str, version: int, environment: Mapping[str, str], checkout: Path) -> None:
    """Start a process of a release. Its output goes to log/NAME.log."""
    own = {**environment, PLACE: str(place.root), NAME: name, VERSION: str(version)}
    with (place.log / f"{name}.log").open("ab") as log:
        spawn(command, checkout, own, log)


def spawn(command: str, checkout: Path, environment: Mapping[str, str], output: BinaryIO) -> "subprocess.Popen[bytes]":
    """A line of the Procfile, in a session of its own: it goes on when we are killed."""
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def running(place: Place) -> set[Process]:
    """All processes of this place, whoever started them."""
    return {process for folder in Path("/proc").glob("[0-9]*") if (process := _read(place, folder))}


def _read(place: Place, folder: Path) -> Process | None:
    """None: it is not of this place, not ours to read, or has just ended."""
    with suppress(OSError, ValueError, KeyError):
        lines = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        if environment[PLACE] == str(place.root):
            group = os.getpgid(int(folder.name))
            port = int(environment.get("PORT", 0)) if environment[NAME] == "web" else 0
            return Process(group, environment[NAME], int(environment[VERSION]), port)
    return None


def stop(place: Place, processes: Iterable[Process]) -> None:
    """SIGTERM to all of them at once, as platforms do, and SIGKILL to what is left when the time is over."""
    asked = set(processes)
    _signal(asked, signal.SIGTERM)
    deadline = time.monotonic() + place.settings.stop_within
    while asked & running(place) and time.monotonic() < deadline:
        time.sleep(POLL)
    _signal(asked & running(place), signal.SIGKILL)
    while asked & running(place):
        time.sleep(POLL)


def _signal(processes: Iterable[Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.group, number)
