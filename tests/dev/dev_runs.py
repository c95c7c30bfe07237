"""`flask dev` in processes of a test: started, signalled and looked after."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg2

from app.dev import postgres
from app.dev.processes import read_pid
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    " VALUES ('default', 'jobs.requeue_stalled_jobs', '{\"timestamp\": 0}')"
)
PATIENCE = 120.0  # seconds; a `flask dev` that hangs fails its test, and is killed with its family

# The application of a developer, but for the folder of its data and its ports.
FACTORY = """
from pathlib import Path

from app import create_app
from config import DevelopmentConfig


class Elsewhere(DevelopmentConfig):
    PORTS_FILE = Path({instance!r}) / "ports.json"


config = Elsewhere({{}})
for name, value in {settings!r}.items():
    setattr(config, name, value)
app = create_app(config)
app.instance_path = {instance!r}
"""


class Run(NamedTuple):
    """Hold one `flask dev`. What it says goes to a file: a pipe would be held open by whatever it leaves behind."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.said or self.process.poll() is not None, words, PATIENCE)
        assert words in self.said, f"it ended without saying {words!r}: {self.said}"

    def wait_until_it_serves(self) -> str:
        """Return its address."""
        self.wait_for("Ctrl-C stops everything")
        [address] = re.findall(r"Semicircle is on (http://localhost:\d+) \(Ctrl-C stops everything\)", self.said)
        return str(address)

    def end(self) -> int:
        """Return its exit code."""
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """End it and everything that it started."""
        if self.process.poll() is None:
            leader = psutil.Process(self.process.pid)
            for process in (*leader.children(recursive=True), leader):
                process.kill()
        self.process.wait()


def copy_data(template: Path, directory: Path) -> None:
    """Copy the data of a PostgreSQL that was stopped, which is quicker than making them again."""
    shutil.copytree(template, directory)
    owner = template.stat().st_uid  # nobody, when we are root
    for path in (directory, *directory.rglob("*")):
        os.chown(path, owner, -1)


class Place:
    """Hold a folder of data, where one `flask dev` after another can run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[Run] = []

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    @property
    def ports(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.instance / "ports.json").read_text())
        return found

    def start(self, **settings: object) -> Run:
        """Start `flask dev` with some settings changed."""
        factory = self.folder / "dev_app.py"
        factory.write_text(FACTORY.format(settings=settings, instance=str(self.instance)))
        log = self.folder / f"run-{len(self.runs)}.log"
        env = {**os.environ, "FLASK_APP": f"{factory}:app", "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "flask", "dev"]
        with log.open("wb") as output:
            heeded = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, preexec_fn=heeded)
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def wait_for_a_job(self) -> None:
        """Give the worker a job, and wait until it is done, which is when it is deleted."""
        with closing(psycopg2.connect(postgres.url(self.ports["postgres"]))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(JOB)

            def is_done() -> bool:
                cursor.execute("SELECT FROM procrastinate_jobs WHERE id = lastval()")
                return cursor.fetchone() is None

            wait_until(is_done, "the worker does the job")

    def left_behind(self) -> list[str]:
        """List processes that a run here started and that are still there, and files that it should have removed."""
        ours = [read_pid(self.instance / f"{name}.pid") for name in ("web", "worker", "s3")]
        processes = [
            " ".join(process.info["cmdline"] or ["one that is ending"])
            for process in psutil.process_iter(["pid", "cwd", "cmdline"])
            if (process.info["cwd"] or "").startswith(str(self.instance)) or process.info["pid"] in ours
        ]
        return [*processes, *map(str, self.instance.glob("*.pid")), *map(str, self.instance.glob("s3/*.sock"))]
