"""Tell the pusher our lines, and what the release phase prints. Nobody need be there any more to read it."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

POLL = 0.1  # seconds


def say(line: str) -> None:
    """Write to stderr, which git shows to whoever pushes. A lost connection does not end a deploy."""
    with suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def follow(log: Path, process: "subprocess.Popen[bytes]") -> None:
    """Say the lines of a log, as they come, until the process that writes them has ended."""
    with log.open(encoding="utf-8", errors="replace") as file:
        while True:
            has_ended = process.poll() is not None
            for line in file:
                say(f"  {line.rstrip()}")
            if has_ended:
                return
            time.sleep(POLL)
