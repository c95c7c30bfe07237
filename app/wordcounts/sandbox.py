"""Reading a stranger's page in a process of its own, which may take only so much time and memory.

The parser's time grows with the square of how deeply a page nests and its memory with the square of how badly: 2 MB of
<div> take it minutes, and 2 MB of <p><b> with attributes 3 GB. In the worker itself such a page would hold up every job
and, once that worker was killed, those of the next one.
"""

import gc
import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from selectolax.lexbor import SelectolaxError

from app.wordcounts.failures import Code, FetchFailed
from app.wordcounts.text import document
from app.wordcounts.words import Counts, count

SECONDS = 8.0  # a page of 2 MB takes one; with the 15 of fetching it a worker can end within 25
CPU_SECONDS = 10  # in case nobody is left to end it
MEMORY = 400 * 1024 * 1024  # bytes beyond what a process has that did nothing yet; a page of 2 MB takes a fifth of it

UNKNOWN = 255  # the exit code of a process that ended after the server that forked it, as at a SIGTERM to all

# Forked from a server that has imported this and has neither threads nor connections, so a process costs 10 ms.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


class Stopped(Exception):
    """The process was told to stop, as a platform tells all processes of a dyno."""


class Reading(NamedTuple):
    """What there is to say of a page."""

    title: str
    counts: Counts


def read(text: str, *, is_html: bool, seconds: float = SECONDS) -> Reading:
    """Take a page's title and count its words.

    Args:
        seconds: how long it may take.

    Raises:
        FetchFailed: TOO_COMPLEX.
        Stopped: another process can do it.
    """
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_answer, args=(theirs, text, is_html), daemon=True)
    with ours:
        _start(process, theirs)
        try:
            found: Reading | None = ours.recv() if ours.poll(seconds) else None
        except EOFError:  # it ended without an answer
            found = None
            process.join()
        finally:
            process.kill()
            process.join()
    if found is None:
        raise _failure(process.exitcode)
    return found


def _start(process: ForkServerProcess, theirs: Connection) -> None:
    try:
        process.start()
    except (EOFError, OSError) as error:  # the server that forks them has just been stopped
        raise Stopped from error
    finally:
        theirs.close()


def _failure(exitcode: int | None) -> Exception:
    """What it means that a process ended so, without an answer."""
    if exitcode in (-signal.SIGTERM, UNKNOWN):
        return Stopped()
    if exitcode == 1:
        return RuntimeError("Reading a page failed; the error is above.")
    return FetchFailed(Code.TOO_COMPLEX)


def _answer(answer: Connection, text: str, is_html: bool) -> None:
    """What the process does. Without an answer it has to be ended by a signal, or by an error of ours."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    _limit_memory()
    gc.freeze()  # what was imported is no garbage, and looking through it takes longer than most pages
    try:
        answer.send(_read(text, is_html))
    except (MemoryError, SelectolaxError):
        signal.raise_signal(signal.SIGKILL)


def _read(text: str, is_html: bool) -> Reading:
    if not is_html:
        return Reading("", count(text))
    found = document(text)
    return Reading(found.title, count(found.text))


def _limit_memory() -> None:
    """On Linux, where a process can tell how much it has."""
    status = Path("/proc/self/statm")
    if status.exists():
        pages = int(status.read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
