"""Count what linters of migrations flag of the revisions that the guard is held against, harmful ones and safe ones.

Those that use no operation of ours: zdm and alembic-guard read the Python of a revision, squawk the SQL that Alembic
prints of it, and the guard runs it on a database that a release serves. Takes a minute, and PyPI for the linters.
Run: .venv/bin/python -m tools.bench.linters
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from online_migrations import operations
from online_migrations.errors import ReleaseError
from tests import servers
from tests.databases import Environment, at_head, copied_database, template
from tests.online_migrations import judged
from tests.online_migrations.conftest import fill_tables
from tests.online_migrations.history import revision_text
from tests.online_migrations.migrating import connected
from tests.online_migrations.revision_corpus import stage
from tests.online_migrations.revision_corpus.cases import read_operations, read_unsafe, run
from tools.bench.figures import markdown

PACKAGES = ("zdm==0.9.1", "alembic-guard==0.1.1", "squawk-cli==2.70.0")
OURS = {f"{name}(" for name in {*operations.__all__} - {"excused", "in_schema"}}
# These flag every statement; the runner sets both timeouts, and an operation may run again.
OF_EVERY_STATEMENT = "require-lock-timeout,require-statement-timeout,prefer-robust-stmts"


class Revision(NamedTuple):
    """Hold a revision, and the danger that it is a spelling of; a safe one has none."""

    danger: str
    body: str
    phase: str


Flagged = set[Revision]
Linter = Callable[[Sequence[Revision]], Flagged]


def main() -> None:
    logging.disable(logging.INFO)  # Alembic's, of each revision
    harmful = [Revision(case.danger, case.body, case.phase) for case in read_unsafe()]
    safe = [Revision("", case.call, case.phase) for case in read_operations("safe")]
    plain = [revision for revision in (*harmful, *safe) if not any(name in revision.body for name in OURS)]
    with tempfile.TemporaryDirectory() as folder, _guard() as guard:
        programs = _installed(Path(folder))
        linters: dict[str, Linter] = {
            "alembic-guard --strict": partial(_of_python, [programs / "alembic-guard", "--strict", "--format=json"]),
            "squawk": partial(_squawk, programs),
            "zdm": partial(_of_python, [programs / "zdm", "--output-format=json"]),
            "online_migrations": guard,
        }
        rows = [_row(name, plain, linter(plain)) for name, linter in linters.items()]
    print(*markdown([["", "dangers, in any spelling", "harmful revisions", "safe revisions"], *rows]), sep="\n")


def _row(name: str, revisions: Sequence[Revision], flagged: Flagged) -> list[str]:
    harmful, safe = ({each for each in revisions if bool(each.danger) is of} for of in (True, False))
    dangers, seen = ({each.danger for each in some} for some in (harmful, harmful & flagged))
    counts = ((seen, dangers), (harmful & flagged, harmful), (safe & flagged, safe))
    return [name, *(f"{len(some)} of {len(every)}" for some, every in counts)]


def _installed(folder: Path) -> Path:
    """Install the linters into an environment of their own, and return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
    return folder / "bin"


def _of_python(command: Sequence[str | Path], revisions: Sequence[Revision]) -> Flagged:
    with _files(revisions, _python, "py") as (root, written):
        found = _report([*command, root], root)
        diagnostics = found if isinstance(found, list) else found["diagnostics"]
        return {written[Path(each["path"]).name] for each in diagnostics}


def _squawk(programs: Path, revisions: Sequence[Revision]) -> Flagged:
    with _files(revisions, _sql, "sql") as (root, written):
        command: list[str | Path] = [programs / "squawk", "--reporter=json", f"--exclude={OF_EVERY_STATEMENT}"]
        found = _report([*command, *sorted(root.rglob("*.sql"))], root)
        return {written[Path(each["file"]).name] for each in found}


def _report(command: Sequence[str | Path], folder: Path) -> Any:
    """Return what a linter prints as JSON; its exit code says no more than whether it found something."""
    return json.loads(subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=False).stdout)


@contextmanager
def _files(
    revisions: Sequence[Revision], text: Callable[[Revision], str], ending: str
) -> Iterator[tuple[Path, dict[str, Revision]]]:
    """Write a file for each revision, where linters look for them; yield their root, and which file is which."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "migrations/versions")
        folder.mkdir(parents=True)
        written = {f"{number:04}_step.{ending}": revision for number, revision in enumerate(revisions)}
        for name, revision in written.items():
            folder.joinpath(name).write_text(text(revision))
        yield Path(root), written


def _python(revision: Revision) -> str:
    return revision_text("9999", "0024", revision.body, f'phase = "{revision.phase}"')


def _sql(revision: Revision) -> str:
    """Return the SQL that Alembic prints of a revision, as far as it comes without a database to ask."""
    printed = StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": printed})
    with Operations.context(context):
        try:
            run(revision.body)
        except Exception as error:  # of any kind: a revision that asks the database cannot be printed
            print(f"-- {error!r}", file=printed)
    return printed.getvalue()


@contextmanager
def _guard() -> Iterator[Linter]:
    """Yield the guard as a linter: each revision runs on a copy of the database of the corpus."""
    with servers.folder_for_postgres() as folder, servers.running(folder, os.environ) as environment:
        in_use = template(environment, "in_use", fill_tables, base=at_head(environment))
        yield partial(_refused, environment, template(environment, "corpus", stage.build, base=in_use))


def _refused(environment: Environment, corpus: str, revisions: Sequence[Revision]) -> Flagged:
    return {revision for revision in revisions if _is_refused(environment, corpus, revision)}


def _is_refused(environment: Environment, corpus: str, revision: Revision) -> bool:
    with (
        tempfile.TemporaryDirectory() as folder,
        copied_database(environment, corpus) as own,
        connected(own) as database,
    ):
        try:
            judged.upgrade(database, judged.written(Path(folder), revision.body, revision.phase))
        except ReleaseError:
            return True
    return False


if __name__ == "__main__":
    main()
