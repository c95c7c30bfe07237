"""What a run of `flask dev` leaves behind when it is killed, and the notes by which the next run finds it."""

import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click
import psutil

from app.dev.process_groups import members, stop_group
from app.dev.processes import Child

GRACE = 30  # seconds until an orphan that does not end is killed


def noted(child: Child, pid_file: Path) -> Child:
    """Write down the process id and the files that the child leaves behind. When it is stopped, all of them go."""
    pid_file.write_text("".join(f"{line}\n" for line in (child.process.pid, *child.litter)), encoding="utf-8")
    return replace(child, litter=(*child.litter, pid_file))


def clean_up(name: str, pid_file: Path, cwd: Path, words: Iterable[str]) -> None:
    """Stop an orphan and remove its files, as `noted` wrote them down.

    Args:
        name, pid_file, cwd, words: as `stop_orphan` takes them.
    """
    stop_orphan(name, pid_file, cwd, words)
    if pid_file.exists():
        for path in pid_file.read_text(encoding="utf-8").splitlines()[1:]:
            Path(path).unlink(missing_ok=True)
        pid_file.unlink()


def stop_orphan(
    name: str, pid_file: Path, cwd: Path, words: Iterable[str], stop_signal: signal.Signals = signal.SIGTERM
) -> None:
    """Stop a process that an earlier, killed run left behind.

    A process id alone proves nothing, since the system uses ids again. It is ours only if a process of its group runs
    in `cwd` and has `words` in its command line.

    Args:
        name: what the developer calls it.
        pid_file: its first line is the process id; may be missing.
        cwd: the folder that it runs in.
        words: arguments of its command.
        stop_signal: what it takes as a request to end.
    """
    leader = read_pid(pid_file)
    if leader is None or not any(_runs(process, cwd, words) for process in members(leader)):
        return
    click.echo(f"Stopping {name} (process {leader}), which an earlier run left behind.")
    stop_group(leader, stop_signal, GRACE)


def read_pid(pid_file: Path) -> int | None:
    """The process id on the first line of a file, or None when there is none."""
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
