"""start.py, as other people's machines start it: the gate of the schema, signals, output, and PID 1 of a container.

tests/test_platform.py holds that every launcher takes a line of the Procfile for the same words.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.child import AS_PID_1, first_process, namespaces_are_allowed
from tests.databases import HEAD, Environment, run, upgrade
from tests.live.conftest import ROOT, address_and_environment, fetch, procfile_command
from tests.online_migrations.migrating import traffic
from tests.waiting import wait_until
from tools.dev.processes import Child, spawn

LISTENS = "Booting worker"
PAGES = ("/", "/sign-in", "/notes", "/nothing")
NEEDS_NAMESPACES = pytest.mark.skipif(not namespaces_are_allowed(), reason="only root may make a PID namespace")


@dataclass(frozen=True)
class Launched:
    """Hold a line of the Procfile that runs.

    Args:
        outer: whom we wait for; it ends as the process does.
        process: the process itself, which gets its signals.
    """

    outer: subprocess.Popen[bytes]
    process: psutil.Process
    log: Path

    def said(self, words: str) -> None:
        """Wait until it has printed this."""
        wait_until(lambda: words in self.log.read_text("utf-8", "replace") or self.outer.poll() is not None, words)
        assert words in self.log.read_text(), self.log.read_text()


@contextmanager
def launched(words: list[str], environment: Environment, folder: Path, *, as_pid_1: bool = False) -> Iterator[Launched]:
    """Run a line, and stop it at the end."""
    log, path = folder / "launched.log", f"{Path(sys.executable).parent}:/usr/bin:/bin"
    outer = spawn([*(AS_PID_1 if as_pid_1 else ()), *words], log=log, cwd=ROOT, env={**environment, "PATH": path})
    try:
        yield Launched(outer, first_process(outer) if as_pid_1 else psutil.Process(outer.pid), log)
    finally:
        Child("launched", outer).stop()


def production(environment: Environment) -> tuple[str, Environment]:
    return address_and_environment(environment, "config.ProductionConfig", "127.0.0.1")


def works(worker: Launched, environment: Environment) -> None:
    """Wait until a worker has announced itself in the database."""
    workers = "SELECT id FROM procrastinate_workers"
    wait_until(lambda: run(environment["DATABASE_URL"], workers) or worker.outer.poll() is not None, "the worker works")
    assert worker.outer.poll() is None, worker.log.read_text()


def test_honcho_runs_both_which_wait_for_the_schema_and_stops_them(environment: Environment, tmp_path: Path) -> None:
    """It starts each line by `sh -c`, and signals its process group (honcho/process.py, 68, and compat.py, 28).

    Not one request is answered by code that is ahead of its schema.
    """
    url, env = production(environment)
    answers: list[tuple[str, int]] = []
    honcho = [sys.executable, "-m", "honcho", "-e", "/dev/null", "start", "web", "worker"]
    with launched(honcho, env, tmp_path) as both:
        both.said(LISTENS)
        both.said("the boot gate is closed")  # to the worker: the web says so to the first request
        with traffic(1, lambda *_: answers.extend((path, fetch(url + path, timeout=10).status) for path in PAGES)):
            wait_until(lambda: len(answers) > 20, "some were answered")
            assert {status for _, status in answers} == {503}
            assert fetch(f"{url}/readyz").status == 503
            assert run(env["DATABASE_URL"], "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
            upgrade(environment)
            served = {("/", 200), ("/sign-in", 200), ("/notes", 302), ("/nothing", 404)}
            wait_until(lambda: served <= set(answers), "every page is served")
            works(both, env)
        assert set(answers) == served | {(path, 503) for path in PAGES}
        assert run(env["DATABASE_URL"], "SELECT code_head FROM schema_releases") == [(HEAD,)]
        both.process.send_signal(signal.SIGTERM)
        assert both.outer.wait(timeout=25) == 128 + signal.SIGTERM
        both.said('msg="Shutting down: Master"')
        both.said("logger=app.jobs.worker request_id=- msg=stopped")


@NEEDS_NAMESPACES
@pytest.mark.parametrize("name", ["web", "worker"])
def test_as_pid_1_it_serves_and_ends_on_sigterm(name: str, migrated_environment: Environment, tmp_path: Path) -> None:
    url, env = production(migrated_environment)
    with launched(["bash", "-c", procfile_command(name)], env, tmp_path, as_pid_1=True) as process:
        if name == "web":
            process.said(LISTENS)
            assert fetch(f"{url}/healthz", timeout=10).status == 200
        else:
            works(process, env)
        assert "start.py" in process.process.cmdline()
        process.process.send_signal(signal.SIGTERM)
        assert process.outer.wait(timeout=25) == 0


@NEEDS_NAMESPACES
@pytest.mark.parametrize(
    ("name", "imported", "number"), [("worker", "flask", signal.SIGINT), ("release", "app.extensions", signal.SIGTERM)]
)
def test_as_pid_1_each_ends_by_a_signal_while_it_is_imported(
    name: str, imported: str, number: signal.Signals, server_environment: Environment, tmp_path: Path
) -> None:
    """The kernel would drop it. A release that is stopped has not succeeded."""
    _, env = production(server_environment)
    words = procfile_command(name).split()
    with launched(words, {**env, "PYTHONPROFILEIMPORTTIME": "1"}, tmp_path, as_pid_1=True) as process:
        process.said(f" {imported}\n")
        process.process.send_signal(number)
        assert process.outer.wait(timeout=25) == (128 + number if name == "release" else 0)
