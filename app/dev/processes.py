"""Child processes that never outlive us for long, and what an earlier run left behind."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil

from app.dev.errors import DevError, Interrupted

# Set by the signal handlers of `flask dev`. A handler that raised could do so between the birth of a child and the note
# of it, and the child would be left behind; so everything that waits looks at this instead.
interrupted = threading.Event()


def pause(seconds: float) -> None:
    """Wait.

    Raises:
        Interrupted: the developer asked for the end.
    """
    if interrupted.wait(seconds):
        raise Interrupted


@dataclass(frozen=True)
class Child:
    """A process that we started, with its descendants.

    Args:
        name: what the developer calls it.
        log: where its output goes; None when that is the terminal.
        stop_signal: what it takes as a request to end.
        grace: seconds from that request until it is killed.
        litter: files that it leaves behind.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10
    litter: Sequence[Path] = ()

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
        """Wait until `ready()`, and stop it when that does not come about.

        Raises:
            DevError: it ended, or is not ready after `seconds`.
            Interrupted: the developer asked for the end.
        """
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
        """The last complaint in its log, else the last line, as the end of a sentence."""
        if self.log is None:
            return "; what it said is above"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        complaints = [line for line in lines if re.search(r"FATAL|PANIC|^[EF]\d{4}", line)]
        said = (complaints or lines or ["nothing"])[-1]
        return f"; the last that {self.log} says is: {said}"


def spawn(command: Sequence[str], *, log: Path | None = None, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C in the terminal reaches only `flask dev`.

    Args:
        log: a file that its output replaces; without one it writes to our terminal.
        options: as `subprocess.Popen` takes them.
    """
    options |= {"stdin": subprocess.DEVNULL, "start_new_session": True}
    if log is None:
        return subprocess.Popen(command, **options)
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)


def stop_orphan(
    name: str, pid_file: Path, cwd: Path, words: Iterable[str], stop_signal: signal.Signals = signal.SIGTERM
) -> None:
    """Stop what an earlier, killed run left running.

    A process id alone proves nothing, since ids are used again: it is ours only if a process of its group runs in
    `cwd` and has `words` in its command line.

    Args:
        pid_file: its first line is the process id; may be missing.
    """
    leader = read_pid(pid_file)
    if leader is None or not any(_runs(process, cwd, words) for process in _group(leader)):
        return
    click.echo(f"Stopping {name} (process {leader}), which an earlier run left behind.")
    stop_group(leader, stop_signal, grace=30)


def read_pid(pid_file: Path) -> int | None:
    """The process id on the first line of a file, or None when there is none."""
    try:
        line = pid_file.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    return int(line) if line.isascii() and line.isdigit() else None


def stop_group(leader: int, stop_signal: signal.Signals, grace: float) -> None:
    """Ask a process group to end; after `grace` seconds kill what is left of it and of the leader's descendants.

    Descendants count, since the processes of PostgreSQL leave the group of their leader.
    """
    known = _family(leader)
    if not known:
        return
    with suppress(ProcessLookupError):  # it ended in this very moment
        os.killpg(leader, stop_signal)
    for process in _left_after(grace, leader, known):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _left_after(grace, leader, known)


def _left_after(seconds: float, leader: int, known: set[psutil.Process]) -> set[psutil.Process]:
    deadline = time.monotonic() + seconds
    while left := {process for process in known if _is_alive(process)} | _family(leader):
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return set()


def _family(leader: int) -> set[psutil.Process]:
    group = _group(leader)
    family = set(group)
    for process in group:
        with suppress(psutil.NoSuchProcess):
            family |= {child for child in process.children(recursive=True) if _is_alive(child)}
    return family


def _group(leader: int) -> set[psutil.Process]:
    group = set()
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == leader and _is_alive(process):
                group.add(process)
    return group


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still holds its files and ports, as a zombie does until the last of its threads has ended."""
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def _runs(process: psutil.Process, cwd: Path, words: Iterable[str]) -> bool:
    try:
        return process.cwd() == str(cwd) and set(words) <= set(process.cmdline())
    except psutil.Error:  # gone, or another user's: not ours
        return False
