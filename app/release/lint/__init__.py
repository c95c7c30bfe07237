"""`flask release lint`: apply revisions to a scratch database with rows in it, and say what an upgrade would refuse."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from app.release import options
from app.release.backfills import table as backfills_table
from app.release.blockers import Blockers
from app.release.connection import direct_connection
from app.release.deadline import Deadline
from app.release.effects import other_connections
from app.release.effects.guard import Guard, Refused
from app.release.errors import ReleaseError, server_message
from app.release.ledger import CONTRACT, EXPAND
from app.release.lint.rows import empty, end_backfills, fill
from app.release.revision_files import duplicate_revisions
from app.release.scratch import scratch_database

SECONDS = 60  # for one revision; nobody holds a lock here
WHERE_TO_RUN = (
    "Revisions are judged on one: run it where the database is your own, such as beside a development server."
)


class Finding(NamedTuple):
    """
    Args:
        place: file and line, "0025_x.py:14".
        rule: its name: a code of effects/rules.py, or one of this module.
    """

    revision: str
    place: str
    rule: str
    what: str
    instead: str


def lint(code: ScriptDirectory, metadata: MetaData, only: Sequence[str] = ()) -> list[Finding]:
    """The findings, in the order of the revisions.

    Args:
        metadata: whose naming convention names constraints that a revision does not name.
        only: revisions to judge; when empty, all since the baseline of the options.

    Raises:
        ReleaseError: a revision is unknown, or no scratch database can be made.
    """
    wanted = _wanted(code, only)
    history = list(code.walk_revisions())[::-1]
    findings = [finding for script in history if script.revision in wanted for finding in _of_file(code, script)]
    with scratch_database(WHERE_TO_RUN) as engine, direct_connection(engine) as connection:
        _create_schemas(connection, metadata)
        backfills_table.prepare(connection)
        for script in history:
            if not wanted:
                break
            end_backfills(connection)
            if script.revision in wanted:
                findings += _judged(connection, script, metadata)
            else:
                _apply(connection, script, metadata)
            wanted -= {script.revision}
    return findings


def _create_schemas(connection: Connection, metadata: MetaData) -> None:
    """Those of the models, which no revision makes."""
    for schema in {table.schema for table in metadata.tables.values() if table.schema}:
        connection.execute(CreateSchema(schema))
    connection.commit()


def _wanted(code: ScriptDirectory, only: Sequence[str]) -> set[str]:
    try:
        if not only:
            return {script.revision for script in code.walk_revisions()} - _excused_past(code)
        return {script.revision for name in only for script in code.get_revisions(name)}
    except CommandError as error:
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error


def _excused_past(code: ScriptDirectory) -> set[str]:
    """The baseline and what it follows; nothing when there is no baseline."""
    baseline = options.current().baseline
    if baseline is None:
        return set()
    return {script.revision for script in code.iterate_revisions(baseline, "base")}


def _of_file(code: ScriptDirectory, script: Script) -> Iterator[Finding]:
    """What is wrong with the file, whatever it does."""
    file = Path(script.path).name
    if names := duplicate_revisions(code).get(script.revision):
        yield Finding(
            script.revision,
            file,
            "revision-twice",
            f"{', '.join(names)} have the same revision: Alembic applies one of them and leaves the other out.",
            "Give the later one the next number, in its name and as its revision, and let it follow the other.",
        )
    phase = getattr(script.module, "phase", None)
    if phase not in (EXPAND, CONTRACT):
        yield Finding(
            script.revision,
            file,
            "phase-missing" if phase is None else "phase-unknown",
            f"It says {phase!r} for its phase, so it counts as a contract and a rollback will be refused.",
            'Write phase = "expand" when the release before runs on the result, else phase = "contract".',
        )


def _judged(connection: Connection, script: Script, metadata: MetaData) -> list[Finding]:
    """What the guard would refuse, all of it; the step is then committed, for those after it."""
    findings: list[Finding] = []

    def found(refused: list[Refused]) -> None:
        for place, (effect, what, instead) in refused:
            findings.append(Finding(script.revision, place, effect.code, what, instead))

    fill(connection)
    guard = Guard(connection, None, Blockers(), found)
    try:
        with guard.revision(script):
            _apply(connection, script, metadata, guard)
        if guard.committed_early:
            findings += _run_again(connection, script, metadata)
    except ReleaseError as error:
        findings += _refused(connection, script, metadata, error)
    return findings


def _refused(connection: Connection, script: Script, metadata: MetaData, error: ReleaseError) -> Iterator[Finding]:
    """A step that fails, or an operation that refuses by itself; unless it does not without the rows of our making."""
    empty(connection)
    try:
        _apply(connection, script, metadata)
    except ReleaseError:
        yield Finding(script.revision, Path(script.path).name, "refused", error.message, "")


def _run_again(connection: Connection, script: Script, metadata: MetaData) -> Iterator[Finding]:
    """Whether the step can be run again, as after a kill. Only for one that commits a part of it before its end."""
    try:
        _apply(connection, script, metadata)
    except ReleaseError as error:
        yield Finding(
            script.revision,
            Path(script.path).name,
            "not-rerunnable",
            f"A part of it is committed before its end, and after a kill it does not run again. {error.message}",
            "Give each step a revision of its own, or use an operation of app.release.operations, which looks first.",
        )


def _apply(connection: Connection, script: Script, metadata: MetaData, guard: Guard | None = None) -> None:
    """Run upgrade() as the runner does.

    Raises:
        ReleaseError: it fails on this database.
    """
    deadline, blockers = Deadline(SECONDS), Blockers()
    opts = {
        "transaction_per_migration": True,
        "deadline": deadline,
        "blockers": blockers,
        "guard": guard,
        "is_new": True,
    }
    migration = MigrationContext.configure(connection, opts={**opts, "target_metadata": metadata})
    try:
        with (
            other_connections.refused(script.module),  # they lead to the project's own database
            Operations.context(migration),
            migration.begin_transaction(_per_migration=True),
        ):
            script.module.upgrade()
    except DBAPIError as error:
        file = Path(script.path).name
        raise ReleaseError(
            f"{file} fails on a scratch database that ran what is before it: {server_message(error)}."
        ) from error
    finally:
        connection.rollback()
