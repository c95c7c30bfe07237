"""A sandbox for parsing a stranger's page: a process of its own with a limit on time and memory.

The parser's time grows with the square of the nesting depth, and its memory with the square of some misnesting: 2 MB of
<div> take it minutes, and 2 MB of <p><b> with attributes take 3 GB. In the worker itself, such a page would hold up all
jobs, and those of the next worker once that was killed.
"""

import gc
import multiprocessing
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path

from selectolax.lexbor import SelectolaxError

from app.wordcounts.analysis.text import Document, document
from app.wordcounts.analysis.words import Counts, count
from app.wordcounts.failures import Failure, FetchFailed

SECONDS = 8.0  # wall clock; a page of 2 MB takes one. With 15 s of fetching a worker can still exit within 25 s.
CPU_SECONDS = 10  # enforced by the kernel, in case the worker died and nobody is left to kill the process
MEMORY = 400 * 1024 * 1024  # bytes on top of an idle process; a page of 2 MB takes a fifth of it

# The exit code of a process whose fork server ended first, as when a platform sends SIGTERM to all processes.
FORK_SERVER_GONE = 255

Reading = tuple[Document, Counts]

# The fork server has imported this module and has neither threads nor connections, so a process costs 10 ms.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


class SandboxTerminated(Exception):
    """The sandbox got SIGTERM, as all processes of a dyno do at a restart. The page is not at fault."""


def read(text: str, *, is_html: bool, is_xml: bool = False, seconds: float = SECONDS) -> Reading:
    """Parse a page and count its words, in a process of its own that may take so many seconds.

    Raises: FetchFailed: TOO_COMPLEX: over the limit on time or memory; SandboxTerminated: try again in another worker;
    RuntimeError: a bug, which the process has printed.
    """
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_run, args=(sender, text, is_html, is_xml), daemon=True)
    with receiver:
        try:
            with sender:
                process.start()
        except (EOFError, OSError) as error:  # the fork server has just been terminated
            raise SandboxTerminated from error
        try:
            reading: Reading | None = receiver.recv() if receiver.poll(seconds) else None
        except EOFError:  # the process ended without a result
            reading = None
            process.join()
        finally:
            process.kill()
            process.join()
    if reading is None:
        raise _failure_of(process.exitcode)
    return reading


def _failure_of(exitcode: int | None) -> Exception:
    if exitcode in (-signal.SIGTERM, FORK_SERVER_GONE):
        return SandboxTerminated()
    if exitcode == 1:
        return RuntimeError("Reading a page failed; the error is above.")
    return FetchFailed(Failure.TOO_COMPLEX)


def _run(sender: Connection, text: str, is_html: bool, is_xml: bool = False) -> None:
    """Read the page, as the process does. Over a limit it must die by a signal: `_failure_of` reads the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it, too; the worker waits for the page
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    status = Path("/proc/self/statm")
    if status.exists():  # on Linux, where a process can read how much address space it has already
        used = int(status.read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    gc.freeze()  # the imported modules are not garbage; scanning them takes longer than most pages
    try:
        read = document(text, is_xml=is_xml) if is_html else Document("", text)
        sender.send((read, count(read.text)))
    except (MemoryError, SelectolaxError):
        signal.raise_signal(signal.SIGKILL)
