"""Run commands of the machine: printed as they run, with a time limit, and without a terminal to ask questions in."""

import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from tools.deployment.errors import DeployError
from tools.deployment.journal import Journal

CHUNK = 65536


class Done(NamedTuple):
    code: int
    output: str
    errors: str


class Shell:
    def __init__(self, root: Path, journal: Journal) -> None:
        self.root = root
        self.journal = journal

    def show(self, command: Sequence[str], limit: float) -> Done:
        """Run a command, and show what it writes as it comes.

        Raises:
            DeployError: there is no such command, or it took longer than `limit` seconds; then it is killed.
        """
        self.journal.say(f"$ {shlex.join(command)}")
        return self._run(command, limit, is_shown=True)

    def ask(self, command: Sequence[str], limit: float, is_new: bool = True) -> Done:
        """Run a command for its answer.

        Args:
            is_new: whether to print it; False for a question that is asked again and again.

        Raises:
            DeployError: as `show`.
        """
        if is_new:
            self.journal.say(f"$ {shlex.join(command)}")
        return self._run(command, limit, is_shown=False)

    def _run(self, command: Sequence[str], limit: float, is_shown: bool) -> Done:
        try:
            process = subprocess.Popen(
                command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except FileNotFoundError:
            raise DeployError(f"There is no command {command[0]} on this machine: install it.") from None
        except OSError as error:
            raise DeployError(f"{command[0]} does not run: {error.strerror}.") from None
        with process:
            try:
                output, errors = self._read(process, time.monotonic() + limit, is_shown)
                return Done(process.wait(limit), output, errors)
            except (TimeoutError, subprocess.TimeoutExpired):
                process.kill()
                raise DeployError(f"`{shlex.join(command)}` took longer than {limit:g} s and was stopped.") from None
            except BaseException:
                process.terminate()
                raise

    def _read(self, process: "subprocess.Popen[bytes]", deadline: float, is_shown: bool) -> tuple[str, str]:
        """Read what it writes to each, until both are closed. Raises: TimeoutError."""
        pipes: list[IO[bytes]] = [pipe for pipe in (process.stdout, process.stderr) if pipe]
        written = {pipe.fileno(): bytearray() for pipe in pipes}
        rest = dict.fromkeys(written, b"")
        with selectors.DefaultSelector() as selector:
            for pipe in pipes:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0, deadline - time.monotonic()))
                if not ready or time.monotonic() > deadline:
                    raise TimeoutError
                for key, _ in ready:
                    chunk = os.read(key.fd, CHUNK)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    written[key.fd] += chunk
                    *lines, rest[key.fd] = (rest[key.fd] + chunk).split(b"\n") if chunk else (rest[key.fd], b"")
                    self._show(lines if is_shown else [])
        output, errors = (text.decode(errors="replace") for text in written.values())
        return output, errors

    def _show(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text:
                self.journal.say(f"  {text}")
