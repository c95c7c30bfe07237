"""Child processes: started in a group of their own, waited for, stopped with all of their descendants, and found again
by the next run of `make dev` where one was killed.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import psutil

SAY_EVERY = 4  # seconds between two lines, while something takes long
GRACE = 30  # seconds until an orphan that does not end is killed

# Set by the signal handlers of `make dev`, and looked at by all that waits. A handler that raised could do so between
# the start of a child and the note of it, which would leave it behind.
interrupted = threading.Event()


class DevError(click.ClickException):
    """Something could not start or did not go on. The message is one sentence that says what to do."""


class Interrupted(Exception):
    """The developer asked for the end while something was being waited for."""


def pause(seconds: float) -> None:
    """Wait. Raises: Interrupted."""
    if interrupted.wait(seconds):
        raise Interrupted


def telling(what: str) -> Callable[[], None]:
    """Return a pause for a loop that waits, which says every few seconds what it waits for."""
    said = time.monotonic()

    def wait() -> None:
        nonlocal said
        pause(0.05)
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            click.echo(f"  still {what} …")

    return wait


@dataclass(frozen=True)
class Child:
    """Hold a process that we started, with its descendants."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None = None  # where its output goes; None: to the terminal
    stop_signal: signal.Signals = signal.SIGTERM  # a request to end
    grace: float = 10  # seconds from that request until it is killed
    litter: Sequence[Path] = ()  # files that are removed when it has ended

    def stop(self) -> None:
        """End it and all of its descendants; does nothing when they have ended."""
        stop_group(self.process.pid, self.stop_signal, self.grace)
        self.process.wait()
        for path in self.litter:
            path.unlink(missing_ok=True)

    def require_running(self) -> None:
        """Raises DevError when it has ended by itself; the message says how."""
        code = self.process.poll()
        if code is None:
            return
        how = f"exited with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        raise DevError(f"{self.name} {how}{self.last_words()}.")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`, else stop the process. Raises: DevError: it ended, or takes too long; Interrupted."""
        deadline = time.monotonic() + seconds
        try:
            while not ready():
                self.require_running()
                if time.monotonic() > deadline:
                    raise DevError(f"{self.name} is not ready after {seconds:.0f} seconds{self.last_words()}.")
                pause(0.05)
        except BaseException:
            self.stop()
            raise

    def last_words(self) -> str:
        """Return the last error in its log, else the last line, as the end of a sentence."""
        if self.log is None:
            return "; what it said is above"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if re.search(r"FATAL|PANIC|^[EF]\d{4}", line)]
        said = (errors or lines or ["nothing"])[-1]
        return f"; the last that {self.log} says is: {said}"


def spawn(command: Sequence[str], *, log: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C in the terminal reaches only `make dev`.

    Its output replaces the log; without one it goes to our terminal.
    """
    options |= {"stdin": subprocess.DEVNULL, "start_new_session": True}
    if log is None:
        return subprocess.Popen(command, **options)
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)


def noted(child: Child, pid_file: Path) -> Child:
    """Write down the process id and the files that the child leaves behind. When it is stopped, all of them go."""
    pid_file.write_text("".join(f"{line}\n" for line in (child.process.pid, *child.litter)), encoding="utf-8")
    return replace(child, litter=(*child.litter, pid_file))


def clean_up(name: str, pid_file: Path, cwd: Path, words: Iterable[str]) -> None:
    """Stop an orphan as `stop_orphan` does, and remove its files, as `noted` wrote them down."""
    stop_orphan(name, pid_file, cwd, words)
    if pid_file.exists():
        for path in pid_file.read_text(encoding="utf-8").splitlines()[1:]:
            Path(path).unlink(missing_ok=True)
        pid_file.unlink()


def stop_orphan(
    name: str, pid_file: Path, cwd: Path, words: Iterable[str], stop_signal: signal.Signals = signal.SIGTERM
) -> None:
    """Stop the process that an earlier, killed run left behind, if the first line of `pid_file` names it.

    The system uses ids again: it is ours only if a process of its group runs in `cwd` and has `words` in its command.
    """
    leader = read_pid(pid_file)
    if leader is None or not any(_runs(process, cwd, words) for process in members(leader)):
        return
    click.echo(f"Stopping {name} (process {leader}), which an earlier run left behind.")
    stop_group(leader, stop_signal, GRACE)


def read_pid(pid_file: Path) -> int | None:
    """Return the process id on the first line of a file, or None when there is none."""
    try:
        line = pid_file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(line) if line.isascii() and line.isdigit() else None


def _runs(process: psutil.Process, cwd: Path, words: Iterable[str]) -> bool:
    try:
        return process.cwd() == str(cwd) and set(words) <= set(process.cmdline())
    except psutil.Error:  # gone, or another user's: not ours
        return False


def stop_group(leader: int, stop_signal: signal.Signals, grace: float) -> None:
    """Ask a process group to end. After `grace` seconds kill what is left of it and of the leader's descendants.

    Descendants count, since the processes of PostgreSQL leave the group of their leader.
    """
    known = _family(leader)
    if not known:
        return
    with suppress(ProcessLookupError):  # it ended just now
        os.killpg(leader, stop_signal)
    for process in _left_after(grace, leader, known):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _left_after(grace, leader, known)


def members(leader: int) -> set[psutil.Process]:
    """Return the living processes of a group, also when its leader has died."""
    group = set()
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == leader and _is_alive(process):
                group.add(process)
    return group


def _left_after(seconds: float, leader: int, known: set[psutil.Process]) -> set[psutil.Process]:
    deadline = time.monotonic() + seconds
    while left := {process for process in known if _is_alive(process)} | _family(leader):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return set()


def _family(leader: int) -> set[psutil.Process]:
    group = members(leader)
    family = set(group)
    for process in group:
        with suppress(psutil.NoSuchProcess):
            family |= {child for child in process.children(recursive=True) if _is_alive(child)}
    return family


def _is_alive(process: psutil.Process) -> bool:
    """Tell if it still holds its files and ports, as a zombie does until the last of its threads has ended."""
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False
