"""`flask release …`: inspect and check schema changes, and pause or resume long backfills.

Each command prints text for people, or with --json one document for programs.
"""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from online_migrations import options
from online_migrations.autogenerate import target_metadata
from online_migrations.backfills import defer_batch, store
from online_migrations.connection import direct_connection, direct_engine, read_only_connection
from online_migrations.doctor import ERROR, diagnose
from online_migrations.errors import ReleaseError, server_message
from online_migrations.lint import lint
from online_migrations.locks import lock_holder
from online_migrations.plan import EXIT_CODES, plan, roll_back
from online_migrations.revisions import require_parent_files, script_directory
from online_migrations.state import BEHIND, ledger, read_schema_state
from online_migrations.state.live import live_release
from online_migrations.state.tables import BACKFILLS, exists

Document = dict[str, Any]

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group("release", cls=AppGroup)
@with_appcontext
@click.pass_context
def release(context: click.Context) -> None:
    """Inspect and check schema changes."""
    alembic = logging.getLogger("alembic")  # its log lines go to stdout, as the answer does
    context.call_on_close(partial(alembic.setLevel, alembic.level))
    alembic.setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", r"Revision \S+ is present more than once")  # lint and doctor say it better
    if context.invoked_subcommand != "lint":  # of which it is a finding
        require_parent_files(script_directory())


@release.command("status")
@as_json
def status_command(as_json: bool) -> None:
    """Show the revisions of code and database, what is pending, and whether a migration is running."""
    with read_only_connection() as connection:
        status = _status(connection)
    _show(status, as_json, _status_lines)


def _status(connection: Connection) -> Document:
    state = read_schema_state(connection)
    more = options.current().status_lines
    live = live_release(connection)
    running = lock_holder(connection)
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
        "migrator": f"A migration is running: {running}" if running else None,
        "project": more(connection) if more else {},
        "backfills": [store.document(backfill) for backfill in store.all_backfills(connection)],
        "next": "flask release plan" if state.name == BEHIND else None,
    }


def _status_lines(document: Document) -> Iterator[str]:
    live = document["live"]
    yield f"state              {document['state'] if document['code_head'] else 'there are no revisions'}"
    yield f"code head          {document['code_head'] or 'none: flask db migrate writes the first revision'}"
    yield f"database revision  {document['database_revision'] or 'none: no migration has run'}"
    for number, step in enumerate(document["pending"]):
        yield f"{'' if number else 'pending':<17}  {step['revision']}  {step['phase']:<8}  {step['title']}"
    if document["ahead_by"]:
        yield f"ahead by           {', '.join(document['ahead_by'])}"
    serves = f"{live['code_head']}, which began to serve {live['since']}" if live else None
    yield f"live release       {serves or 'unknown: no release has reported in'}"
    yield f"migration          {document['migrator'] or 'none is running'}"
    yield from (f"{title:<17}  {line}" for title, line in document["project"].items())
    for number, backfill in enumerate(document["backfills"]):
        waits_for = backfill["waiting_for"] and f"waits for {backfill['waiting_for']}"
        first = f"{backfill['name']}: {backfill['state']}, {backfill['progress']}"
        told = "; ".join(filter(None, (first, backfill["speed"], waits_for, backfill["next"])))
        yield f"{'' if number else 'backfills':<17}  {told}"
    if document["next"]:
        yield f"next               {document['next']}"


@release.command("history")
@as_json
def history_command(as_json: bool) -> None:
    """List what ran on this database, the newest first, and how long it took."""
    with read_only_connection() as connection:
        rows = ledger.read_history(connection)
    shown = ("revision", "phase", "renumbered_from", "cost")
    entries = [
        {**{name: getattr(row, name) for name in shown}, "applied_at": row.applied_at.isoformat(timespec="seconds")}
        for row in rows
    ]
    _show({"revisions": entries}, as_json, _history_lines)


def _history_lines(document: Document) -> Iterator[str]:
    for entry in document["revisions"]:
        ran_as = f", ran as {entry['renumbered_from']}" if entry["renumbered_from"] else ""
        took = "nobody was served"
        if cost := entry["cost"]:
            attempts = "1 attempt" if cost["attempts"] == 1 else f"{cost['attempts']} attempts"
            took = f"{attempts}, {cost['milliseconds'] / 1000:.1f} s"
        yield f"{entry['revision']}  {entry['applied_at']}  {entry['phase']:<8}  {took}{ran_as}"
    if not document["revisions"]:
        yield "No migration has run."


@release.command("plan")
@click.option("--back", is_flag=True, help="Is a rollback safe? Like --to, for the release previous to the live one.")
@click.option("--to", "revision", help="Can code with this newest revision run? Exit 0: yes, 3: no, 2: unknown.")
@as_json
def plan_command(back: bool, revision: str | None, as_json: bool) -> None:
    """Show the SQL of the next upgrade, and whether it would be refused. With --back or --to: a rollback forecast."""
    with read_only_connection() as connection:
        if not back and not revision:
            found = plan(connection, script_directory(), target_metadata())
            _show(_as_json_value(found), as_json, _plan_lines)
            return
        forecast = roll_back(connection, revision)
    _show(_as_json_value(forecast), as_json, _rollback_lines)
    sys.exit(EXIT_CODES[forecast.answer])


def _plan_lines(document: Document) -> Iterator[str]:
    for revision in document["revisions"]:
        phase = revision["phase"] or "contract, since it names no phase"
        yield f"{revision['revision']}  {revision['title']}  ({phase})"
        yield from (f"    {line}".rstrip() for line in revision["sql"].splitlines())
        if revision["unreadable"]:
            yield f"  The rest cannot be shown without running it: {revision['unreadable']}"
        yield ""
    yield from document["notes"]
    if document["refused"]:
        yield f"flask db upgrade would be refused: {document['refused']}"
    elif document["revisions"]:
        yield "Apply it with: flask db upgrade"
    elif not document["notes"]:
        yield f"Nothing pending: the database is at {document['database_revision']}."


def _rollback_lines(document: Document) -> Iterator[str]:
    noted = f"live since {document['live_at']}" if document["live_at"] else "judged by the phases of the steps since"
    code = f"the code of {document['to']} ({noted})" if document["to"] else "the previous release"
    answers = {"yes": "Yes: {} can serve", "no": "No: {} cannot serve", "unknown": "Unknown whether {} can serve"}
    yield f"{answers[document['answer']].format(code)} on this database."
    yield from (f"  {reason}" for reason in document["reasons"])
    if document["since"]:
        yield f"Revisions that it does not have: {', '.join(document['since'])}"
    if document["answer"] == "no":
        yield "Do not roll back: fix the newer code and deploy that (roll forward)."


@release.command("lint")
@click.argument("revision", nargs=-1)
@as_json
def lint_command(revision: tuple[str, ...], as_json: bool) -> None:
    """Check all or the given revisions on a scratch database. Exit 1: there are findings."""
    found = lint(script_directory(), target_metadata(), revision)
    _show({"ok": not found, "findings": _as_json_value(found)}, as_json, _lint_lines)
    sys.exit(1 if found else 0)


def _lint_lines(document: Document) -> Iterator[str]:
    for finding in document["findings"]:
        yield f"{finding['place']}: unsafe: {finding['rule']}"
        yield f"  {finding['what']}\n  {finding['instead']}\n"
    yield f"{len(document['findings'])} unsafe." if document["findings"] else "Nothing unsafe."


@release.command("doctor")
@as_json
def doctor_command(as_json: bool) -> None:
    """Find differences between code and database, and other faults. Exit 1: errors, 0: none or warnings."""
    with read_only_connection() as connection:
        found = diagnose(connection, target_metadata())
    failed = any(diagnosis.severity == ERROR for diagnosis in found)
    _show({"ok": not failed, "findings": _as_json_value(found)}, as_json, _doctor_lines)
    sys.exit(1 if failed else 0)


def _doctor_lines(document: Document) -> Iterator[str]:
    for finding in document["findings"]:
        yield f"{finding['severity']}: {finding['rule']}: {finding['what']}"
        yield f"  next: {finding['next']}"
    if not document["findings"]:
        yield "Nothing is wrong."


@release.command("pause")
@click.argument("name", required=False)
def pause_command(name: str | None) -> None:
    """Pause the backfill NAME, or all running ones. Filled rows stay filled."""
    with _writing(name) as connection:
        paused = store.pause(connection, name)
    for one in paused:
        click.echo(f"{one}: paused. Let it go on with: flask release resume {one}")
    if not paused:
        click.echo(f"{name} does not run." if name else "No backfill runs.")


@release.command("resume")
@click.argument("name", required=False)
def resume_command(name: str | None) -> None:
    """Resume the backfill NAME, or all paused ones.

    By its name also one that failed, once its rows are fixed, and one that was done, for another pass.
    """
    with _writing(name) as connection:
        resumed = store.resume(connection, name)
        for one, turn in resumed:
            defer_batch(connection, one, turn, 0)
    for one, _ in resumed:
        click.echo(f"{one}: running. See how far it is with: flask release status")
    if not resumed:
        click.echo(f"{name} runs already." if name else "No backfill is paused.")


@contextmanager
def _writing(name: str | None) -> Iterator[Connection]:
    """Yield a connection whose transaction is committed at the end. Refuse a backfill that there is none of."""
    with direct_connection(direct_engine()) as connection:
        connection.execute(text("SET lock_timeout = '30s'"))  # longer than any statement of the worker may take
        if not exists(connection, BACKFILLS):
            raise ReleaseError("No backfill was ever begun here.")
        if name is not None and store.read(connection, name) is None:
            raise ReleaseError(f"There is no backfill {name!r}; those there are stand in: flask release status")
        try:
            yield connection
            connection.commit()
        except OperationalError as error:
            raise ReleaseError(f"The database did not answer ({server_message(error)}); try again.") from error


def _as_json_value(value: Any) -> Any:
    """Turn named tuples, and those inside them, into dicts."""
    if hasattr(value, "_asdict"):
        return {name: _as_json_value(member) for name, member in value._asdict().items()}
    return [_as_json_value(member) for member in value] if isinstance(value, list) else value


def _show(document: Document, as_json: bool, text: Callable[[Document], Iterator[str]]) -> None:
    """Print a document as JSON, or as the lines for people that `text` makes of it."""
    lines = [json.dumps(document, ensure_ascii=False, indent=2)] if as_json else text(document)
    for line in lines:
        click.echo(line)
