"""`flask release status | history | plan | lint | doctor`: inspect schema changes.

These commands only read; `pause` and `resume` stand in backfills/commands.py.
Each prints text for people, or with --json one document for programs.
"""

import logging
import sys
import warnings
from functools import partial
from typing import Any, NoReturn

import click
from alembic.script import Script
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection

from app.release import doctor, ledger, lint, options, plan, revision_files, revisions, rollback, text_output
from app.release.autogenerate import target_metadata
from app.release.backfills import status as backfill_status
from app.release.backfills.commands import pause_command, resume_command
from app.release.backfills.pending import unfinished_backfill
from app.release.backfills.records import recent_backfills
from app.release.connection import read_only_connection
from app.release.doctor.diagnosis import ERROR
from app.release.doctor.session_checks import migrators
from app.release.expand_contract import drop_in_same_release
from app.release.live import live_release
from app.release.printing import as_json_option as as_json
from app.release.printing import print_document as _print
from app.release.schema_state import BEHIND, read_schema_state


@click.group("release", cls=AppGroup)
@with_appcontext
@click.pass_context
def release(context: click.Context) -> None:
    """Inspect and check schema changes."""
    alembic = logging.getLogger("alembic")  # its log lines go to stdout, as the answer does
    context.call_on_close(partial(alembic.setLevel, alembic.level))
    alembic.setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"Revision \S+ is present more than once")  # lint and doctor say it better
    revision_files.require_parent_files(revisions.script_directory())


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
        pending = [revisions.script_directory().get_revision(revision) for revision in state.pending]
        steps = plan.plan(connection, pending, target_metadata())
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
    findings = lint.lint(revisions.script_directory(), target_metadata(), revision)
    document = {"ok": not findings, "findings": [_as_json_value(finding) for finding in findings]}
    _print(document, as_json, text_output.lint)
    sys.exit(1 if findings else 0)


@release.command("doctor")
@as_json
def doctor_command(as_json: bool) -> None:
    """Find differences between code and database, and other faults. Exit 1: errors, 0: none or warnings."""
    with read_only_connection() as connection:
        diagnoses = doctor.diagnose(connection, target_metadata())
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
    running = list(migrators(connection, doctor.LIMITS.idle_migrator))
    pending = [revisions.script_directory().get_revision(revision) for revision in state.pending]
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
