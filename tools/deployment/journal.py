"""Write the log of a deploy: what the terminal shows, with the time of each line, in instance/deploys/."""

import sys
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path("instance/deploys")
TESTED = "tested"  # commits whose tests have passed, a line each


class Journal:
    """
    Args:
        root: of the checkout.
        name: of the command, such as "deploy staging".
    """

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / f"{now():%Y%m%dT%H%M%S.%fZ}-{name.replace(' ', '-')}.log"
        self._write(f"began: {name}")

    def say(self, line: str) -> None:
        print(line, flush=True)
        self._write(line)

    def end(self, outcome: str) -> None:
        """Write the last line, without which whoever wrote the log was killed."""
        self._write(f"ended: {outcome}")
        print(f"{self.name}: {outcome} (log: {self.file})", file=sys.stderr, flush=True)

    def tests_passed_at(self, commit: str) -> str | None:
        """Return when the tests of this very commit passed here, as ISO 8601; None: nobody noted that they did."""
        file = self.folder / TESTED
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return next((line.split()[1] for line in reversed(lines) if line.startswith(f"{commit} ")), None)

    def note_tests_passed(self, commit: str) -> None:
        with (self.folder / TESTED).open("a") as file:
            file.write(f"{commit} {now().isoformat(timespec='seconds')}\n")

    def _write(self, line: str) -> None:
        with self.file.open("a") as file:
            file.write(f"{now().isoformat(timespec='milliseconds')} {line}\n")


def now() -> datetime:
    return datetime.now(UTC)
