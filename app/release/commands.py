"""`flask release …`: where the schema stands, what an upgrade would do, whether it is safe, and what is wrong.

They look and never change. Each prints for people, or with --json one document for programs.
"""

import json
import logging
import os
import sys
import warnings
from functools import partial
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import Connection

from app import jobs
from app.extensions import Base
from app.release import doctor, files, ledger, lint, plan, reading, revisions, show
from app.release.doctor.catalog import migrators
from app.release.doctor.finding import ERROR
from app.release.hasty_drops import hasty_drop
from app.release.state import BEHIND, schema_state


@click.group("release", cls=AppGroup)
@click.pass_context
def release(context: click.Context) -> None:
    """See and check schema changes."""
    alembic = logging.getLogger("alembic")  # its chatter goes to stdout, where the answer goes
    context.call_on_close(partial(alembic.setLevel, alembic.level))
    alembic.setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"Revision \S+ is present more than once")  # lint and doctor say it better
    files.require_parents(revisions.script_directory())


as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@release.command("status")
@as_json
def status_command(as_json: bool) -> None:
    """Where code and database stand, what is pending, and whether a migration runs."""
    with reading.reading() as connection:
        status = _status(connection)
    _print(status, as_json, show.status)


@release.command("plan")
@as_json
def plan_command(as_json: bool) -> None:
    """What the next upgrade would send, with the lock and the size of each table."""
    with reading.reading() as connection:
        state = schema_state(connection)
        pending = [revisions.script_directory().get_revision(revision) for revision in state.pending]
        steps = plan.plan(connection, pending)
    found = {
        "state": state.name,
        "database_revision": state.database_revision,
        "refused": hasty_drop(pending) if state.database_revision else None,
        "revisions": [_dict(revision) for revision in steps],
    }
    _print(found, as_json, show.plan)


@release.command("lint")
@click.argument("revision", nargs=-1)
@as_json
def lint_command(revision: tuple[str, ...], as_json: bool) -> None:
    """Check revisions, all or those named, without a database: exit 1 for a finding that is not excused."""
    findings = lint.lint(revisions.script_directory(), Base.metadata, revision)
    failed = [finding for finding in findings if not finding.excused]
    _print({"ok": not failed, "findings": [_dict(finding) for finding in findings]}, as_json, show.lint)
    sys.exit(1 if failed else 0)


@release.command("doctor")
@as_json
def doctor_command(as_json: bool) -> None:
    """What is wrong between this code and its database: exit 1 for an error, 0 for warnings."""
    with reading.reading() as connection:
        findings = doctor.examine(connection, Base.metadata)
    failed = any(finding.severity == ERROR for finding in findings)
    _print({"ok": not failed, "findings": [_dict(finding) for finding in findings]}, as_json, show.doctor)
    sys.exit(1 if failed else 0)


def _status(connection: Connection) -> dict[str, Any]:
    state = schema_state(connection)
    queue = jobs.waiting(connection)
    running = list(migrators(connection, doctor.IDLE_MIGRATOR))
    pending = [revisions.script_directory().get_revision(revision) for revision in state.pending]
    return {
        "state": state.name,
        "code_head": state.code_head,
        "database_revision": state.database_revision,
        "pending": [
            {"revision": script.revision, "title": script.doc, "phase": ledger.phase_of(script)} for script in pending
        ],
        "ahead_by": state.foreign,
        "migrator": running[0].what if running else None,
        "queue": queue._asdict() if queue else None,
        "next": "flask release plan" if state.name == BEHIND else None,
    }


def _print(found: dict[str, Any], as_json: bool, text: Any) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    # A convention of terminals, which click leaves to us: https://no-color.org
    color = False if os.getenv("NO_COLOR") else None
    for line in text(found):
        click.echo(line, color=color)


def _dict(value: Any) -> Any:
    """A named tuple as a dict, with those that it holds."""
    if hasattr(value, "_asdict"):
        return {name: _dict(member) for name, member in value._asdict().items()}
    return [_dict(member) for member in value] if isinstance(value, list) else value
