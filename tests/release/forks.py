"""Many `flask …` in a short time: one process that has imported the application, and a fork of it for each."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.release.checkout import WRAPPED, Checkout


class Forks:
    def __init__(self, checkout: Checkout) -> None:
        self._log = checkout.folder / "fork.log"
        self.process = subprocess.Popen(
            [*WRAPPED, json.dumps({"serve": True})],
            cwd=checkout.folder,
            env=checkout.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def flask(self, *arguments: str, **spec: object) -> int:
        """The exit code; negative for a signal.

        Args:
            spec: as wrapped.py takes it.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        job = {"spec": spec, "arguments": arguments, "log": str(self._log)}
        print(json.dumps(job), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    @property
    def said(self) -> str:
        return self._log.read_text()


@contextmanager
def forks_of(checkout: Checkout) -> Iterator[Forks]:
    forks = Forks(checkout)
    try:
        yield forks
    finally:
        with forks.process:
            forks.process.kill()
