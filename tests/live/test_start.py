"""start.py, as other people's machines start it: a gate, the signals, the output, and PID 1 of a container."""

import shlex
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import namespaces
from tests.databases import Environment
from tests.live import launchers
from tests.live.conftest import address_and_environment, connect, fetch, procfile_command
from tests.live.launchers import IN_A_CONTAINER, ON_A_MACHINE, Launched, Words, launched
from tests.waiting import wait_until

LISTENS = "Booting worker"
LAUNCHERS = (*IN_A_CONTAINER, *ON_A_MACHINE)
REFUSAL = "Error: SECRET_KEY is not set; .env.example says what it is for.\n"

HAS_NAMESPACES = namespaces.are_allowed()

Launcher = Callable[[str], Words]


def is_pid_1(launcher: Launcher) -> bool:
    return HAS_NAMESPACES and launcher in IN_A_CONTAINER


def production(environment: Environment) -> tuple[str, Environment]:
    return address_and_environment(environment, "config.ProductionConfig", "127.0.0.1")


def works(worker: Launched, environment: Environment) -> None:
    """Wait until a worker has announced itself in the database."""

    def count() -> int:
        with connect(environment) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_workers")
            [(number,)] = cursor.fetchall()
            return int(number)

    wait_until(lambda: count() or worker.outer.poll() is not None, "the worker works")
    assert worker.outer.poll() is None, worker.log.read_text()


@pytest.mark.parametrize("launcher", LAUNCHERS[::2])
def test_the_web_prints_serves_and_ends_with_0_on_sigterm(
    launcher: Launcher, server_environment: Environment, tmp_path: Path
) -> None:
    url, env = production(server_environment)
    words = launcher(procfile_command("web"))
    with launched(words, env, tmp_path, as_pid_1=is_pid_1(launcher)) as web:
        web.said(LISTENS)
        assert "start.py" in web.process.cmdline(), "the launcher has become the process itself"
        assert fetch(f"{url}/healthz", timeout=10).status == 200
        web.process.send_signal(signal.SIGTERM)
        assert web.outer.wait(timeout=25) == 0


@pytest.mark.parametrize("launcher", LAUNCHERS[1::2])
def test_the_worker_works_and_ends_with_0_on_sigterm(
    launcher: Launcher, migrated_environment: Environment, tmp_path: Path
) -> None:
    _, env = production(migrated_environment)
    words = launcher(procfile_command("worker"))
    with launched(words, env, tmp_path, as_pid_1=is_pid_1(launcher)) as worker:
        works(worker, env)
        assert "start.py" in worker.process.cmdline()
        worker.process.send_signal(signal.SIGTERM)
        assert worker.outer.wait(timeout=25) == 0


def test_honcho_runs_both_and_stops_them(migrated_environment: Environment, tmp_path: Path) -> None:
    """It starts each line by `sh -c`, and signals its process group (honcho/process.py, 68, and compat.py, 28)."""
    _, env = production(migrated_environment)
    honcho = [sys.executable, "-m", "honcho", "-e", "/dev/null", "start", "web", "worker"]
    with launched(honcho, env, tmp_path, as_pid_1=False) as both:
        both.said(LISTENS)
        works(both, env)
        both.process.send_signal(signal.SIGTERM)
        assert both.outer.wait(timeout=25) == 128 + signal.SIGTERM
        both.said('msg="Shutting down: Master"')
        both.said("logger=app.jobs.worker request_id=- msg=stopped")


@pytest.mark.parametrize(
    ("launcher", "name"),
    [
        *((launchers.without_a_shell, name) for name in ("web", "worker")),
        *((launcher, "release") for launcher in (*LAUNCHERS, launchers.dokku_release)),
    ],
)
def test_the_settings_are_a_gate(launcher: Launcher, name: str, environment: Environment, tmp_path: Path) -> None:
    url, env = production(environment)
    del env["SECRET_KEY"]
    with launched(launcher(procfile_command(name)), env, tmp_path, as_pid_1=False) as refused:
        assert refused.outer.wait(timeout=60) == 1
    assert refused.log.read_text() == REFUSAL
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5)
    with connect(env) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchall() == [(0,)]


@pytest.mark.skipif(not HAS_NAMESPACES, reason="only root may make a PID namespace")
@pytest.mark.parametrize(
    ("name", "imported", "number"),
    [
        ("web", "click", signal.SIGTERM),
        ("worker", "flask", signal.SIGINT),
        ("release", "app.extensions", signal.SIGTERM),
    ],
)
def test_as_pid_1_each_ends_by_a_signal_while_it_is_imported(
    name: str, imported: str, number: signal.Signals, migrated_environment: Environment, tmp_path: Path
) -> None:
    """The kernel would drop it. A release that is stopped has not succeeded."""
    _, env = production(migrated_environment)
    words = shlex.split(procfile_command(name))
    with launched(words, {**env, "PYTHONPROFILEIMPORTTIME": "1"}, tmp_path, as_pid_1=True) as process:
        process.said(f" {imported}\n")
        process.process.send_signal(number)
        assert process.outer.wait(timeout=25) == (128 + number if name == "release" else 0)
