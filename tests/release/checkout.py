"""A history of migrations, or a copy of the project, for a test to change and to release from."""

import atexit
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.dev.processes import Child, spawn
from tests.waiting import WITHIN

ROOT = Path(__file__).parents[2]
FORKS = Path(__file__).parent / "forks.py"

REVISION = '''\
"""{title}."""

import sqlalchemy as sa
from alembic import op

from app.release.operations import *

revision = "{number}"
down_revision = {down}
{phase}


def upgrade():
    {upgrade}


def downgrade():
    pass
'''


# The application, to whose models no schema is compared.
WITHOUT_MODELS = """\
from sqlalchemy import MetaData

from app import create_app as create


def create_app():
    app = create()
    app.extensions["release"] = app.extensions["release"]._replace(metadata=MetaData())
    return app
"""


class OwnHistory:
    """The code of today, which is imported once for all commands, on revisions that a test may change."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.versions = folder / "migrations/versions"
        self.environment = {**environment, "APP_SETTINGS": "config.TestingConfig", "PYTHONPATH": str(ROOT)}
        self.forks: Callable[[], Forks] = todays_code
        shutil.copytree(ROOT / "migrations", folder / "migrations")

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.forks().flask(self.folder, self.environment, *arguments)
        return subprocess.CompletedProcess(arguments, done["status"], done["stdout"], done["stderr"])

    @contextmanager
    def running(self, *arguments: str, launcher: Sequence[str] = ()) -> Iterator["Command"]:
        """Run it as a platform does, in a process that nobody waits for; if it runs at the end, it is stopped.

        Args:
            launcher: the words of a command that starts it.
        """
        command = [*launcher, sys.executable, "-m", "flask", *arguments]
        log = self.folder / f"command-{secrets.token_hex(4)}.log"
        process = spawn(command, log=log, cwd=self.folder, env=self.environment)
        try:
            yield Command(process, log)
        finally:
            Child("flask", process).stop()

    def forget_history(self) -> None:
        """Begin without a revision and without a model, for a history of the test's own."""
        for path in self.versions.glob("*.py"):
            path.unlink()
        (self.folder / "without_models.py").write_text(WITHOUT_MODELS)
        self.environment["FLASK_APP"] = "without_models"

    def write_revision(self, number: int, *upgrade: str, phase: str | None = "expand") -> str:
        """Add a revision after the one of the number before.

        Args:
            upgrade: the lines of upgrade().
            phase: None for a revision that does not say.
        """
        revision = f"{number:04d}"
        text = REVISION.format(
            title=f"Step {number}",
            number=revision,
            down=repr(f"{number - 1:04d}") if number > 1 else None,
            phase=f'phase = "{phase}"' if phase else "",
            upgrade="\n    ".join(upgrade) or "pass",
        )
        (self.versions / f"{revision}_step.py").write_text(text)
        return revision


class Checkout(OwnHistory):
    """A copy of the code, too, which each command imports again: a test may change it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder, environment)
        self.environment["PYTHONPATH"] = str(folder)
        self.forks = any_code
        shutil.copytree(ROOT / "app", folder / "app")  # with what Python has compiled, which saves it a second
        shutil.copytree(ROOT / "environment", folder / "environment")
        for path in ROOT.glob("*.py"):
            shutil.copy(path, folder)

    @contextmanager
    def code_unchanged(self) -> Iterator[None]:
        """Import it once, for the commands of the block. Pays from four commands on."""
        forks = Forks(self.folder, "app")
        self.forks = lambda: forks
        yield
        self.forks = any_code
        forks.close()


@dataclass(frozen=True)
class Command:
    """
    Args:
        log: what it prints. A pipe would stay open as long as any orphan of the process holds it.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self, within: float = WITHIN) -> tuple[int, str]:
        """Wait for its end, and return the exit code and what it printed."""
        return self.process.wait(within), self.log.read_text()


class Forks:
    """`flask …` in forks of one warm process: a run costs no start of Python, which takes longer than most commands.

    Args:
        modules: what is imported once, from `folder`, besides the packages of others.
    """

    def __init__(self, folder: Path, *modules: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(FORKS), *modules], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def flask(self, folder: Path, environment: dict[str, str], *arguments: str, **dying: Any) -> dict[str, Any]:
        """
        Args:
            dying: as forks.py takes it: die_at, when and signal.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        request = {"folder": str(folder), "environment": environment, "arguments": arguments, **dying}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        self.process.communicate(timeout=WITHIN)


@cache
def todays_code() -> Forks:
    return _until_the_end(Forks(ROOT, "app"))


@cache
def any_code() -> Forks:
    """Return what runs commands of any checkout, each of which brings its own code."""
    return _until_the_end(Forks(FORKS.parent))


def _until_the_end(forks: Forks) -> Forks:
    atexit.register(forks.close)
    return forks
