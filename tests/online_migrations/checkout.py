"""A history of migrations for a test to change and to release from."""

import logging
import secrets
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import MetaData

from app import create_app
from app.extensions import Base, db
from config import MigrationConfig
from online_migrations.revisions import _read
from online_migrations.runner import LIBRARY
from online_migrations.state import written_heads
from tests.online_migrations.history import write_revision
from tests.waiting import WITHIN
from tools.dev.processes import Child, spawn

ROOT = Path(__file__).parents[2]

# A project of its own without models, for a process of its own: it starts in half the time of the application.
WITHOUT_MODELS = """\
import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData

import online_migrations

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = url = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
Migrate(app, db)
online_migrations.init_app(app, online_migrations.Options(metadata=MetaData(), url=url, name="semicircle"))
"""


class OwnHistory:
    """Run the code of today, on revisions and models that a test may change."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.versions = folder / "migrations/versions"
        self.environment = {**environment, "APP_SETTINGS": "config.MigrationConfig", "PYTHONPATH": str(ROOT)}
        self.metadata: MetaData = Base.metadata
        shutil.copytree(ROOT / "migrations", folder / "migrations")

    def flask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `flask …` in this process, and return what it printed and logged."""
        app = create_app(MigrationConfig(self.environment))
        app.extensions["release"] = app.extensions["release"]._replace(metadata=self.metadata)
        _read.cache_clear()
        written_heads.cache_clear()  # a process meets new files when it starts
        with chdir(self.folder), logged() as log, app.app_context():  # else the command keeps to the test's context
            done = app.test_cli_runner().invoke(app.cli, arguments)
            db.engine.dispose()
        failure = None if isinstance(done.exception, SystemExit) else done.exception
        said = [log.getvalue(), done.stderr, *(traceback.format_exception(failure) if failure else [])]
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, "".join(said))

    def ends(self, code: int, *arguments: str) -> str:
        """Run it, which has to end with this code, and return what it logged."""
        done = self.flask(*arguments)
        assert done.returncode == code, done.stderr
        return done.stderr

    @contextmanager
    def running(self, *arguments: str, launcher: Sequence[str] = ()) -> Iterator["Command"]:
        """Run it, maybe by a launcher, in a process that nobody waits for; if it runs at the end, it is stopped."""
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
        self.metadata = MetaData()
        (self.folder / "without_models.py").write_text(WITHOUT_MODELS)
        self.environment["FLASK_APP"] = "without_models"

    def write_revision(self, number: int, *upgrade: str, phase: str | None = "expand") -> str:
        """Add a revision with these lines after the one of the number before; it may say no phase."""
        revision, down = f"{number:04d}", f"{number - 1:04d}" if number > 1 else None
        constants = f'phase = "{phase}"' if phase else ""
        write_revision(self.folder / "migrations", revision, down, "\n".join(upgrade) or "pass", constants)
        return revision


class Command(NamedTuple):
    """Hold a process, and a file of what it prints: a pipe would stay open as long as any orphan holds it."""

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self, within: float = WITHIN) -> tuple[int, str]:
        """Wait for its end, and return the exit code and what it printed."""
        return self.process.wait(within), self.log.read_text()


@contextmanager
def logged() -> Iterator[StringIO]:
    """Yield the lines that a command of a process of its own would log."""
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    loggers = [logging.getLogger(name) for name in (LIBRARY, "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
