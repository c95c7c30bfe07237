"""start.py, as other people's machines start it: a gate, the signals, the output, and PID 1 of a container.

A launcher is a function from a line of the Procfile to the words of an exec, made from what its source does.
"""

import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.databases import Environment
from tests.live.conftest import ROOT, address_and_environment, connect, fetch, procfile_command
from tests.namespaces import AS_PID_1, are_allowed, first_process
from tests.waiting import wait_until
from tools.dev.processes import Child, spawn

LISTENS = "Booting worker"
REFUSAL = "Error: SECRET_KEY is not set; .env.example says what it is for.\n"
NEEDS_NAMESPACES = pytest.mark.skipif(not are_allowed(), reason="only root may make a PID namespace")

Words = list[str]


def heroku_buildpack(line: str) -> Words:
    """Start by pack: heroku/buildpacks-procfile, src/launch.rs, line 19; lifecycle, launch/launcher.go, line 93."""
    return ["bash", "-c", line]


def herokuish(line: str) -> Words:
    """Start as Dokku's builder: gliderlabs/herokuish, include/procfile.bash, line 60. An echo says its words."""
    return ["bash", "-c", 'exec setuidgid nobody $(eval echo "$@")', "/start", line]


def dokku_image(line: str) -> Words:
    """Start as Dokku's Dockerfile and pack builders: plugins/common/functions, line 248, splits by xargs."""
    xargs = ["/usr/bin/xargs", "-r", "printf", r"%s\0"]
    split = subprocess.run(xargs, input=line, capture_output=True, text=True, check=True)
    return split.stdout.removesuffix("\0").split("\0")


def dokku_release(line: str) -> Words:
    """Start as Dokku does a release: plugins/app-json/functions.go, lines 39 and 66."""
    return ["/bin/bash", "-c", f"set -e; set -o pipefail || true; {line} || exit 1;"]


def buildpack_arguments(line: str) -> Words:
    """Start the same image with a command of one's own: buildpacks/lifecycle, launch/bash.go, lines 28 and 56."""
    words = line.split()
    tokens = " ".join(f'"$(eval echo \\"${{{at}}}\\")"' for at in range(len(words)))
    return ["bash", "-c", f'cd "{ROOT}"\nexec bash -c \'{tokens}\' "${{@:1}}"', "launcher", *words]


def nixpacks(line: str) -> Words:
    """Start as railwayapp/nixpacks: src/nixpacks/builder/docker/dockerfile_generation.rs, line 224. A login shell."""
    return ["/bin/bash", "-l", "-c", line]


def without_a_shell(line: str) -> Words:
    """Start as systemd (man/systemd.service.xml) and supervisord (supervisor/process.py, line 110) do."""
    return shlex.split(line)


def runit(line: str) -> Words:
    """Start as `foreman export runit`: ddollar/foreman, data/export/runit/run.erb. A line with `exec` breaks."""
    return ["/bin/sh", "-c", f"cd {ROOT}\nexec 2>&1\nexec setuidgid nobody {line}"]


LAUNCHERS: tuple[Callable[[str], Words], ...] = (
    *(heroku_buildpack, herokuish, dokku_image, buildpack_arguments, nixpacks, without_a_shell, runit),
)


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
        wait_until(
            lambda: words in self.log.read_text(errors="replace") or self.outer.poll() is not None, f"it says: {words}"
        )
        assert words in self.log.read_text(), self.log.read_text()


@contextmanager
def launched(words: Words, environment: Environment, folder: Path, *, as_pid_1: bool = False) -> Iterator[Launched]:
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

    def count() -> int:
        with connect(environment) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM procrastinate_workers")
            [(number,)] = cursor.fetchall()
            return int(number)

    wait_until(lambda: count() or worker.outer.poll() is not None, "the worker works")
    assert worker.outer.poll() is None, worker.log.read_text()


def program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("name", ["web", "worker", "release"])
def test_each_launcher_becomes_the_very_process_with_the_words_of_the_line(name: str, tmp_path: Path) -> None:
    """So signals and the exit code are the process's own. A release of Dokku's gets no signals."""
    program(tmp_path / "setuidgid", 'shift\nexec "$@"')
    program(tmp_path / "python", 'printf "%s\\n" $$ "$@"\nexit 7')
    (tmp_path / ".profile").write_text(f"PATH={tmp_path}:/usr/bin:/bin\n")  # as nixpacks writes one
    line = procfile_command(name)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for launcher in LAUNCHERS:
        with subprocess.Popen(launcher(line), cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
            said = process.communicate()[0].splitlines()
        assert (said, process.returncode) == ([str(process.pid), *line.split()[1:]], 7), launcher
    ran = subprocess.run(dokku_release(line), cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (ran.stdout.splitlines()[1:], ran.returncode) == (line.split()[1:], 1)


def test_honcho_runs_both_and_stops_them(migrated_environment: Environment, tmp_path: Path) -> None:
    """It starts each line by `sh -c`, and signals its process group (honcho/process.py, 68, and compat.py, 28)."""
    _, env = production(migrated_environment)
    honcho = [sys.executable, "-m", "honcho", "-e", "/dev/null", "start", "web", "worker"]
    with launched(honcho, env, tmp_path) as both:
        both.said(LISTENS)
        works(both, env)
        both.process.send_signal(signal.SIGTERM)
        assert both.outer.wait(timeout=25) == 128 + signal.SIGTERM
        both.said('msg="Shutting down: Master"')
        both.said("logger=app.jobs.worker request_id=- msg=stopped")


@NEEDS_NAMESPACES
@pytest.mark.parametrize("name", ["web", "worker"])
def test_as_pid_1_each_serves_and_ends_with_0_on_sigterm(
    name: str, migrated_environment: Environment, tmp_path: Path
) -> None:
    url, env = production(migrated_environment)
    with launched(heroku_buildpack(procfile_command(name)), env, tmp_path, as_pid_1=True) as process:
        if name == "web":
            process.said(LISTENS)
            assert fetch(f"{url}/healthz", timeout=10).status == 200
        else:
            works(process, env)
        assert "start.py" in process.process.cmdline()
        process.process.send_signal(signal.SIGTERM)
        assert process.outer.wait(timeout=25) == 0


@pytest.mark.parametrize("name", ["web", "worker", "release"])
def test_the_settings_are_a_gate(name: str, environment: Environment, tmp_path: Path) -> None:
    url, env = production(environment)
    del env["SECRET_KEY"]
    with launched(without_a_shell(procfile_command(name)), env, tmp_path) as refused:
        assert refused.outer.wait(timeout=60) == 1
    assert refused.log.read_text() == REFUSAL
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5)
    with connect(env) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert cursor.fetchall() == [(0,)]


@NEEDS_NAMESPACES
@pytest.mark.parametrize(
    ("name", "imported", "number"),
    [
        ("web", "click", signal.SIGTERM),
        ("worker", "flask", signal.SIGINT),
        ("release", "app.extensions", signal.SIGTERM),
    ],
)
def test_as_pid_1_each_ends_by_a_signal_while_it_is_imported(
    name: str, imported: str, number: signal.Signals, server_environment: Environment, tmp_path: Path
) -> None:
    """The kernel would drop it. A release that is stopped has not succeeded."""
    _, env = production(server_environment)
    words = without_a_shell(procfile_command(name))
    with launched(words, {**env, "PYTHONPROFILEIMPORTTIME": "1"}, tmp_path, as_pid_1=True) as process:
        process.said(f" {imported}\n")
        process.process.send_signal(number)
        assert process.outer.wait(timeout=25) == (128 + number if name == "release" else 0)
