"""`make migration MESSAGE="Create books"`: write the revision of what the models have, against a PostgreSQL of its own.

No database of yours is asked or changed. A revision that is not committed yet is written anew: so the columns of a new
table can be changed until then.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from tools.dev import ports, postgres

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = "migrations/versions"


class Refused(Exception):
    """Nothing was written. The message says what to do."""


def write_revision(message: str) -> Path:
    """Write the revision, and return its file. Raises: Refused."""
    uncommitted = git("ls-files", "--others", "--exclude-standard", "-z", VERSIONS).split("\0")[:-1]
    replaced = {ROOT / name: (ROOT / name).read_bytes() for name in uncommitted}
    try:
        for path in replaced:
            path.unlink()
        with committed_schema() as environment:
            run("flask", "db", "migrate", "-m", message, environment=environment)
    except BaseException:
        for path, content in replaced.items():
            path.write_bytes(content)
        raise
    return max((ROOT / VERSIONS).glob("[0-9]*.py"))


@contextmanager
def committed_schema() -> Iterator[dict[str, str]]:
    """Yield the environment of a database that the revisions of the last commit have made."""
    with tempfile.TemporaryDirectory() as scratch:
        head = Path(scratch) / "head"
        with tarfile.open(fileobj=BytesIO(git_bytes("archive", "HEAD"))) as archive:
            archive.extractall(head, filter="data")
        [port] = ports.find_free(1)
        server = postgres.start(Path(scratch) / "postgres", port, durable=False)
        environment = {**os.environ, "APP_SETTINGS": "config.MigrationConfig", "DATABASE_URL": postgres.url(port)}
        environment.pop("MIGRATION_DATABASE_URL", None)
        try:
            run("flask", "db", "upgrade", environment=environment, folder=head)
            yield environment
        finally:
            server.stop()


def run(*command: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> None:
    """Run a command of this environment. Raises: Refused: it failed; the message has the end of what it said."""
    program = shutil.which(command[0], path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or command[0]
    done = subprocess.run([program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def git(*arguments: str) -> str:
    return git_bytes(*arguments).decode()


def git_bytes(*arguments: str) -> bytes:
    """Run Git. Raises: Refused: this is no repository."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode != 0:
        raise Refused(f"git {arguments[0]} failed, and this needs a Git repository: {done.stderr.decode().strip()}")
    return done.stdout


if __name__ == "__main__":
    # In the environment too, as make was given it: in a command, the shell would run what it holds.
    if not (message := os.environ.get("MESSAGE")):
        sys.exit('Say what it does: make migration MESSAGE="Create books".')
    try:
        print(f"Written: {write_revision(message).relative_to(ROOT)}. Read it, and say why in its docstring.")
    except Refused as refused:
        sys.exit(str(refused))
