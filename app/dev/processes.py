"""Child processes: started in a group of their own, waited for, and stopped with all of their descendants."""

import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.dev.errors import DevError, Interrupted
from app.dev.process_groups import stop_group

# Set by the signal handlers of `flask dev`. A handler that raised could do so after a child was started and before it
# was noted, and the child would be left behind. So everything that waits looks at this instead.
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
        litter: files that are removed when it has ended.
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
        """Wait until `ready()`. Stop the process when that does not happen.

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
        """The last error in its log, else the last line, as the end of a sentence."""
        if self.log is None:
            return "; what it said is above"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if re.search(r"FATAL|PANIC|^[EF]\d{4}", line)]
        said = (errors or lines or ["nothing"])[-1]
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
