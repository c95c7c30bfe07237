"""Stopping a process group, and the descendants that left it."""

import os
import signal
import time
from contextlib import suppress

import psutil


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
    """The living processes of a group, also when its leader has died."""
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
    """Whether it still holds its files and ports, as a zombie does until the last of its threads has ended."""
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False
