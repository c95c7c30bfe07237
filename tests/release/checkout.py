"""A copy of the project, for a developer to change a model in, to write revisions in, or to break a line of."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

from tests.release.waiting import wait_until

ROOT = Path(__file__).parents[2]
WRAPPED = [sys.executable, str(Path(__file__).with_name("wrapped.py"))]

REVISION = '''"""Step {number}."""

import sqlalchemy as sa
from alembic import op
from app.release.operations import *

revision = "{number}"
down_revision = {down!r}
{phase}

def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


class Running:
    """A command that runs. What it says goes into a file, so that it never waits for a reader."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_to_say(self, words: str, times: int = 1) -> None:
        def has_said() -> bool:
            assert self.process.poll() is None or self.said.count(words) >= times, self.said
            return self.said.count(words) >= times

        wait_until(has_said, f"the command says {words!r}")

    def wait(self, seconds: float = 60) -> int:
        """The exit code."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Checkout:
    def __init__(self, folder: Path, environment: dict[str, str], settings: str = "config.TestingConfig") -> None:
        self.folder = folder
        self.environment = {**environment, "APP_SETTINGS": settings}
        self.running: list[Running] = []
        folder.mkdir(exist_ok=True)
        for name in ("app", "migrations"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("config.py", "environment.py"):
            shutil.copy(ROOT / name, folder)

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-m", "flask", *arguments])

    def flask_wrapped(self, spec: Mapping[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
        """As flask(), with what wrapped.py does beside it."""
        return self._run([*WRAPPED, json.dumps(spec), *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )

    def start(self, *arguments: str) -> Running:
        """As flask(), without waiting for its end."""
        log = self.folder / f"{len(self.running)}.log"
        command = [sys.executable, "-m", "flask", *arguments]
        self.running.append(Running(command, self.folder, self.environment, log))
        return self.running[-1]

    def stop(self) -> None:
        for command in self.running:
            command.stop()

    def forget_history(self) -> None:
        """Leave no revision, so that a test can write the whole history."""
        for file in self._versions.glob("*.py"):
            file.unlink()

    def write_revision(
        self,
        number: str,
        body: str,
        *,
        down: str | None = "",
        phase: str | None = "expand",
        downgrade: str = "pass",
    ) -> None:
        """
        Args:
            body: the lines of upgrade(); op, sa and the operations are there.
            down: the revision before; without one the number before.
            phase: None for a file that does not say.
        """
        before = f"{int(number) - 1:04d}" if number != "0001" else None
        source = REVISION.format(
            number=number,
            down=before if down == "" else down,
            phase="" if phase is None else f'phase = "{phase}"',
            upgrade=indent(dedent(body).strip(), "    "),
            downgrade=indent(dedent(downgrade).strip(), "    "),
        )
        (self._versions / f"{number}_step.py").write_text(source)

    def remove_revision(self, number: str) -> None:
        (self._versions / f"{number}_step.py").unlink()

    def change(self, path: str, old: str, new: str) -> None:
        """Break one place of the code."""
        file = self.folder / path
        source = file.read_text()
        assert source.count(old) == 1, f"{path} holds {old!r} {source.count(old)} times"
        file.write_text(source.replace(old, new))

    @property
    def _versions(self) -> Path:
        return self.folder / "migrations/versions"
