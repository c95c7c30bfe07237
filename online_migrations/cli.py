"""`flask release status | history | plan | lint | doctor`: inspect schema changes.

These commands only read; `pause` and `resume` stand in backfills/commands.py.
Each prints text for people, or with --json one document for programs.

`flask release pause | resume [NAME]`: stop and continue long backfills.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

import click
from alembic.script import Script
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from online_migrations import options
from online_migrations import output as text_output
from online_migrations.autogenerate import target_metadata
from online_migrations.backfills import guards as backfill_status
from online_migrations.backfills.store import exists, pause, read, recent_backfills, resume
from online_migrations.backfills.worker import defer_batch
from online_migrations.connection import direct_connection, direct_engine, read_only_connection
from online_migrations.doctor import LIMITS, diagnose
from online_migrations.doctor.diagnosis import ERROR
from online_migrations.doctor.sessions import migrators
from online_migrations.errors import ReleaseError, server_message
from online_migrations.lint import lint
from online_migrations.output import as_json_option as as_json
from online_migrations.output import print_document as _print
from online_migrations.plan import plan
from online_migrations.revisions import require_parent_files, script_directory
from online_migrations.runner.preconditions import drop_in_same_release, unfinished_backfill
from online_migrations.state import BEHIND, ledger, read_schema_state, rollback
from online_migrations.state.live import live_release

_WAIT_FOR_BATCH = text("SET lock_timeout = '30s'")  # longer than any statement of the worker may take


@click.command("pause")
@click.argument("name", required=False)
def pause_command(name: str | None) -> None:
    """Pause the backfill NAME, or all running ones. Filled rows stay filled."""
    with _writing(name) as connection:
        paused = pause(connection, name)
    for one in paused:
        click.echo(f"{one}: paused. Let it go on with: flask release resume {one}")
    if not paused:
        click.echo(f"{name} does not run." if name else "No backfill runs.")


@click.command("resume")
@click.argument("name", required=False)
def resume_command(name: str | None) -> None:
    """Resume the backfill NAME, or all paused ones.

    By its name also one that failed, once its rows are fixed, and one that was done, for another pass.
    """
    with _writing(name) as connection:
        resumed = resume(connection, name)
        for one, turn in resumed:
            defer_batch(connection, one, turn, 0)
    for one, _ in resumed:
        click.echo(f"{one}: running. See how far it is with: flask release status")
    if not resumed:
        click.echo(f"{name} runs already." if name else "No backfill is paused.")


@contextmanager
def _writing(name: str | None) -> Iterator[Connection]:
    """A connection whose transaction is committed at the end.

    Raises:
        ReleaseError: there is no backfill of this name, or the database does not answer.
    """
    with direct_connection(direct_engine()) as connection:
        connection.execute(_WAIT_FOR_BATCH)
        known = exists(connection) and (name is None or read(connection, name))
        if not known and name is not None:
            raise ReleaseError(f"There is no backfill {name!r}; those there are stand in: flask release status")
        if not known:
            raise ReleaseError("No backfill was ever begun here.")
        try:
            yield connection
            connection.commit()
        except OperationalError as error:
            raise ReleaseError(f"The database did not answer ({server_message(error)}); try again.") from error


@click.group("release", cls=AppGroup)
@with_appcontext
@click.pass_context
def release(context: click.Context) -> None:
    """Inspect and check schema changes."""
    alembic = logging.getLogger("alembic")  # its log lines go to stdout, as the answer does
    context.call_on_close(partial(alembic.setLevel, alembic.level))
    alembic.setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"Revision \S+ is present more than once")  # lint and doctor say it better
    require_parent_files(script_directory())


release.add_command(pause_command)
release.add_command(resume_command)


@release.command("status")
@as_json
def status_command(as_json: bool) -> None:
    """Show the revisions of code and database, what is pending, and whether a migration is running."""
    with read_only_connection() as connection:
        status = _status(connection)
    _print(status, as_json, text_output.status)


@release.command("history")
@as_json
def history_command(as_json: bool) -> None:
    """List what ran on this database, the newest first, and what it cost the live release."""
    with read_only_connection() as connection:
        rows = ledger.read_history(connection)
    entries = [
        {
            "revision": row.revision,
            "phase": row.phase,
            "applied_at": row.applied_at.isoformat(timespec="seconds"),
            "renumbered_from": row.renumbered_from,
            "cost": row.cost,
        }
        for row in rows
    ]
    _print({"revisions": entries}, as_json, text_output.history)


@release.command("plan")
@click.option("--back", is_flag=True, help="Is a rollback safe? Like --to, for the release before the live one.")
@click.option("--to", "revision", help="Can code with this newest revision run? Exit 0: yes, 3: no, 2: unknown.")
@as_json
def plan_command(back: bool, revision: str | None, as_json: bool) -> None:
    """Show the SQL of the next upgrade, with locks and sizes of tables. With --back or --to: a rollback forecast."""
    if back or revision:
        _rollback_forecast(revision, as_json)
    with read_only_connection() as connection:
        state = read_schema_state(connection)
        pending = [script_directory().get_revision(revision) for revision in state.pending]
        steps = plan(connection, pending, target_metadata())
        refused = _refusal(connection, pending) if state.database_revision else None
    document = {
        "state": state.name,
        "database_revision": state.database_revision,
        "refused": refused,
        "revisions": [_as_json_value(revision) for revision in steps],
    }
    _print(document, as_json, text_output.plan)


@release.command("lint")
@click.argument("revision", nargs=-1)
@as_json
def lint_command(revision: tuple[str, ...], as_json: bool) -> None:
    """Check all or the given revisions on a scratch database. Exit 1: there are findings."""
    findings = lint(script_directory(), target_metadata(), revision)
    document = {"ok": not findings, "findings": [_as_json_value(finding) for finding in findings]}
    _print(document, as_json, text_output.lint)
    sys.exit(1 if findings else 0)


@release.command("doctor")
@as_json
def doctor_command(as_json: bool) -> None:
    """Find differences between code and database, and other faults. Exit 1: errors, 0: none or warnings."""
    with read_only_connection() as connection:
        diagnoses = diagnose(connection, target_metadata())
    failed = any(diagnosis.severity == ERROR for diagnosis in diagnoses)
    document = {"ok": not failed, "findings": [_as_json_value(diagnosis) for diagnosis in diagnoses]}
    _print(document, as_json, text_output.doctor)
    sys.exit(1 if failed else 0)


def _refusal(connection: Connection, pending: list[Script]) -> str | None:
    return drop_in_same_release(pending) or unfinished_backfill(connection, pending)


def _rollback_forecast(revision: str | None, as_json: bool) -> NoReturn:
    """
    Args:
        revision: None: the one of the release before the live one.
    """
    with read_only_connection() as connection:
        found = rollback.to_revision(connection, revision) if revision else rollback.to_release_before(connection)
    _print(_as_json_value(found), as_json, text_output.rollback)
    sys.exit(rollback.EXIT_CODES[found.answer])


def _status(connection: Connection) -> dict[str, Any]:
    state = read_schema_state(connection)
    given = options.current()
    jobs = {"queue": given.waiting_jobs, "failed_jobs": given.failed_jobs}
    counted = {name: count(connection) for name, count in jobs.items() if count}
    live = live_release(connection)
    running = list(migrators(connection, LIMITS.idle_migrator))
    pending = [script_directory().get_revision(revision) for revision in state.pending]
    return {
        "state": state.name,
        "code_head": state.code_head,
        "database_revision": state.database_revision,
        "pending": [
            {"revision": script.revision, "title": script.doc, "phase": ledger.phase_of(script)} for script in pending
        ],
        "ahead_by": state.foreign,
        "live": {"code_head": live.code_head, "since": live.live_at.isoformat(timespec="seconds")} if live else None,
        "migrator": running[0].what if running else None,
        **{name: row._asdict() if row else None for name, row in counted.items()},
        "backfills": [backfill_status.document(backfill) for backfill in recent_backfills(connection)],
        "next": "flask release plan" if state.name == BEHIND else None,
    }


def _as_json_value(value: Any) -> Any:
    """A named tuple as a dict, and those inside it too."""
    if hasattr(value, "_asdict"):
        return {name: _as_json_value(member) for name, member in value._asdict().items()}
    return [_as_json_value(member) for member in value] if isinstance(value, list) else value
