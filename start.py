"""Start a process of the Procfile: `python start.py gunicorn`, `python start.py flask worker`.

The settings are checked first, so that an unusable one is told in a sentence before anything listens or migrates. Then
the program runs in this very process: no shell and no exec stand between it and whoever started us, so it is the
program that gets their signals. SIGTERM and SIGINT are heeded from the first statement on. Importing takes seconds on a
busy machine, and the kernel drops a signal for PID 1 of a container as long as nothing is installed for it.

`python start.py` alone checks the settings.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)
M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE = 1 << 20  # bytes


def main(program: str = "", *arguments: str) -> None:
    """Run gunicorn or flask with these arguments; the web and the worker end with 0 when they are told to stop."""
    runs_until_stopped = program == "gunicorn" or arguments[:1] == ("worker",)
    heed_signals(runs_until_stopped)
    check_settings()
    give_memory_back()
    try:
        run(program, arguments)
    finally:
        # It ends anyway, and a signal that comes now does not change how. One that has just come is handled by the call
        # that blocks them: Python complains of a handler that is taken away from under a signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)


def heed_signals(runs_until_stopped: bool) -> None:
    """End on a signal until the program installs its own handlers: until then it has begun nothing.

    A migration installs none. The kernel ends it at once, even while it waits for the database; runner.py sees to it
    where it is PID 1.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        os._exit(0 if runs_until_stopped else 128 + number)

    for number in STOPPING:
        signal.signal(number, stop if runs_until_stopped or os.getpid() == 1 else signal.SIG_DFL)


def check_settings() -> None:
    """Exit with one sentence if the environment cannot be used. gunicorn and flask would say it later and longer."""
    from config import NO_MAIL, checked

    if not checked(os.environ).sends_mail and sys.stderr:  # it is None when it was closed
        with suppress(OSError):
            line = f'level=warning logger=config msg="{NO_MAIL}"\n'  # of the log, as all that follow
            os.write(sys.stderr.fileno(), line.encode())


def give_memory_back() -> None:
    """Let the C library give a large block back to the system as soon as it is freed; glibc alone has a say here.

    Once the 19 MB of a password's hash are freed, it would keep that much for the next one, a fifth of a web process.
    Source: mallopt(3), "M_MMAP_THRESHOLD", which it raises by itself until it is set.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def run(program: str, arguments: tuple[str, ...]) -> None:
    if program == "gunicorn":
        from http_server.server import Server

        Server().run()  # reads its arguments itself
    elif program == "flask":
        from flask.cli import cli

        cli.main(args=list(arguments), prog_name=program)
    elif program:
        sys.exit("Error: start.py starts gunicorn or flask; the Procfile has the lines.")


if __name__ == "__main__":
    main(*sys.argv[1:])
