"""How other people's machines start a line of the Procfile: stand-ins, made from what their sources do.

A launcher is a function from the line to the words of an exec. Each ends in the process itself, as theirs do.
"""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.databases import Environment
from tests.live.conftest import ROOT
from tests.namespaces import AS_PID_1, first_process
from tests.waiting import wait_until
from tools.dev.processes import Child, spawn

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


IN_A_CONTAINER: tuple[Callable[[str], Words], ...] = (
    heroku_buildpack,
    herokuish,
    dokku_image,
    buildpack_arguments,
    nixpacks,
)
ON_A_MACHINE: tuple[Callable[[str], Words], ...] = (without_a_shell, runit)


@dataclass(frozen=True)
class Launched:
    """Hold a line of the Procfile that runs.

    Args:
        outer: whom we wait for; it ends as the process does.
        process: what the launcher has become, which gets its signals.
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
def launched(words: Words, environment: Environment, folder: Path, *, as_pid_1: bool) -> Iterator[Launched]:
    """Run what a launcher makes of a line, and stop it at the end.

    Args:
        environment: of the process, without PATH and HOME.
    """
    log = folder / "launched.log"
    command = [*(AS_PID_1 if as_pid_1 else ()), *words]
    outer = spawn(command, log=log, cwd=ROOT, env={**environment, **programs(folder)})
    try:
        yield Launched(outer, first_process(outer) if as_pid_1 else psutil.Process(outer.pid), log)
    finally:
        Child("launched", outer).stop()


def programs(folder: Path) -> Environment:
    """Return PATH with our Python and a setuidgid, and a HOME whose .profile sets it again, as nixpacks writes one."""
    setuidgid = folder / "setuidgid"
    setuidgid.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    setuidgid.chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
    (folder / ".profile").write_text(f"PATH={path}\n")
    return {"PATH": path, "HOME": str(folder)}
