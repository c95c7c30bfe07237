"""Start the processes of releases on their own, find them again, and stop them.

Each line of the Procfile leads a session of its own (setsid(2)). Whatever it becomes by `exec`, and whatever it starts,
stays in that session, and the kernel gives its number to nobody else before the last of them has ended. The line writes
it down itself before it runs, so that it is not lost with a hook that is killed. What leaves its session, as a daemon
does, is found by its environment; that alone would not do, since it is empty for a moment in each `exec`.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .errors import DeployError
from .place import Place

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


class Row(NamedTuple):
    """A process as the kernel's table has it (proc_pid_stat(5)).

    Args:
        began: in clock ticks since the machine started.
    """

    state: str
    group: int
    session: int
    began: int

    @property
    def has_ended(self) -> bool:
        return self.state in "ZX"  # a zombie, or dead


def start(place: Place, name: str, command: str, version: int, environment: Mapping[str, str], checkout: Path) -> None:
    """Start a process of a release. Its output goes to its log.

    Raises:
        DeployError: its session cannot be written down.
    """
    own = {**environment, PLACE: str(place.root), NAME: name, VERSION: str(version)}

    def register() -> None:
        leader = os.getpid()
        line = asdict(Process(leader, name, version, _port(name, environment)))
        line["since"] = _since(_row(Path("/proc/self")))
        (place.sessions / str(leader)).write_text(json.dumps(line))

    with log_of(place, name, _port(name, environment)).open("ab") as log:
        try:
            spawn(command, checkout, own, log, register)
        except subprocess.SubprocessError:
            raise DeployError(f"{name} cannot be started; is the disk full?") from None


def log_of(place: Place, name: str, port: int = 0) -> Path:
    """Return the log of a process. A web has that of its port: during a deploy two webs write."""
    return place.log / f"{name}-{port}.log" if port else place.log / f"{name}.log"


def spawn(
    command: str,
    checkout: Path,
    environment: Mapping[str, str],
    output: BinaryIO,
    first: Callable[[], None] | None = None,
) -> "subprocess.Popen[bytes]":
    """Run a line of the Procfile in a session of its own: it goes on when we are killed.

    Args:
        first: what the new process does before it runs the line.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=first,  # which is safe, since here are no threads
    )


def running(place: Place) -> set[Process]:
    """Find all processes of this place, whoever started them."""
    written = _written(place)  # before the table: whose session is not in that has ended
    table = _table()
    living = {pid: row for pid, row in table.items() if not row.has_ended}
    sessions = {row.session for row in living.values()}
    lines = {}
    for file, (since, process) in written.items():
        if process.group in sessions and _is_the_same(since, table.get(process.group)):
            lines[process.group] = process
        else:
            file.unlink(missing_ok=True)
    found = ((row, lines.get(row.session) or _by_environment(place, pid)) for pid, row in living.items())
    return {replace(process, group=row.group) for row, process in found if process}


def _written(place: Place) -> dict[Path, tuple[list[str | int], Process]]:
    """Read what the lines have written down, by its files."""
    found = {}
    for file in place.sessions.glob("[0-9]*"):
        with suppress(FileNotFoundError, ValueError):  # it is forgotten just now, or was killed before it had written
            values = json.loads(file.read_text(encoding="utf-8"))
            found[file] = (values.pop("since"), Process(**values))
    return found


def _is_the_same(since: list[str | int], leader: Row | None) -> bool:
    """Compare times: a number is given again after a restart of the machine, or when all of its session have ended."""
    return since == _since(leader) if leader else since[0] == _boot()


def _since(leader: Row) -> list[str | int]:
    """Return when a session began: on which start of the machine, and in ticks since that."""
    return [_boot(), leader.began]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def _table() -> dict[int, Row]:
    """Read all processes of the machine. One that has just ended is left out; what else cannot be read is an error."""
    rows = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            rows[int(folder.name)] = _row(folder)
    return rows


def _row(folder: Path) -> Row:
    """Read what stands behind the name of a process, which may hold anything, also brackets and spaces."""
    values = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    return Row(values[0].decode(), group=int(values[2]), session=int(values[3]), began=int(values[19]))


def _by_environment(place: Place, pid: int) -> Process | None:
    """Return None for what is not of this place, not ours to read, or has just ended."""
    with suppress(OSError, ValueError, KeyError):
        lines = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        if environment[PLACE] == str(place.root):
            name = environment[NAME]
            return Process(0, name, int(environment[VERSION]), _port(name, environment))
    return None


def _port(name: str, environment: Mapping[str, str]) -> int:
    return int(environment.get("PORT", 0)) if name == "web" else 0


def stop(place: Place, processes: Iterable[Process]) -> None:
    """Send SIGTERM to all of them at once, as platforms do, and SIGKILL to what is left when the time is over."""
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
