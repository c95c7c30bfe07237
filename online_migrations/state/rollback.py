"""Rollback forecast, before it is done: may the code of an earlier release serve on this database again?

A release that noted what it uses is judged by that (forecast.py). Of any other the phases of the steps since then
decide: it can run if all of them are expand steps.
"""

from typing import NamedTuple

from sqlalchemy import Connection

from online_migrations import revisions
from online_migrations.errors import IncompatibleSchema, UnknownRevision
from online_migrations.state import SchemaState, ledger, live, read_schema_state
from online_migrations.state.forecast import forecast
from online_migrations.state.ledger import EXPAND, LedgerEntry
from online_migrations.state.live import LiveRelease

YES, NO, UNKNOWN = "yes", "no", "unknown"
# Those with which the rolled-back code's own `flask db upgrade` ends.
EXIT_CODES = {YES: 0, NO: IncompatibleSchema.exit_code, UNKNOWN: UnknownRevision.exit_code}


class RollbackForecast(NamedTuple):
    to: str | None  # the head revision of the code
    answer: str  # one of the constants above
    live_at: str | None  # when this code last began to serve, as ISO 8601; None: it has not noted that it did
    since: list[str]  # the revisions that the code does not have, applied or pending, the newest first
    reasons: list[str]  # why not, or why it is unknown, a clause each


def to_revision(connection: Connection, revision: str) -> RollbackForecast:
    """Judge code whose head is `revision`, now and after the revisions that are pending."""
    return _forecast(connection, revision, live.release_at(connection, revision))


def to_release_before(connection: Connection) -> RollbackForecast:
    """Judge the release before the live one."""
    release = live.release_before(connection)
    if release is None:
        reason = "no release before the live one is noted; name its newest revision: flask release plan --to REVISION"
        return RollbackForecast(None, UNKNOWN, None, [], [reason])
    return _forecast(connection, release.code_head, release)


def _forecast(connection: Connection, revision: str, release: LiveRelease | None) -> RollbackForecast:
    state = read_schema_state(connection)
    steps = _steps_since(connection, state, revision)
    since = list(steps or {})
    contracts = [step for step in since if steps and steps[step].phase != EXPAND]
    if release is not None:
        live_at = release.live_at.isoformat(timespec="seconds")
        if reasons := forecast(connection, release):
            return RollbackForecast(revision, NO, live_at, since, reasons)
        reasons = [f"{step} is pending and a contract step" for step in contracts if step in state.pending]
        return RollbackForecast(revision, UNKNOWN if reasons else YES, live_at, since, reasons)
    if steps is None:
        reason = f"neither this code nor the database's ledger knows a way from {revision} to the database's revision"
        return RollbackForecast(revision, UNKNOWN, None, [], [reason])
    reasons = [f"{step} is a contract step" for step in contracts]
    return RollbackForecast(revision, NO if reasons else YES, None, since, reasons)


def _steps_since(connection: Connection, state: SchemaState, revision: str) -> dict[str, LedgerEntry] | None:
    """Return the steps that code ending with `revision` does not have; None: no way is known."""
    code = revisions.script_directory()
    steps = {
        script.revision: LedgerEntry(revisions.parents(script, code.revision_map), ledger.phase_of(script))
        for script in code.walk_revisions()
    } | ledger.read_entries(connection)  # which says what really ran
    parents = {step: entry.down_revisions for step, entry in steps.items()}
    newest = state.code_head if state.pending else state.database_revision or ""
    way = revisions.with_ancestors(newest.split(","), parents)
    own = revisions.with_ancestors([revision], parents)
    since = [step for step in way if step not in own]
    if revision not in way or not steps.keys() >= {revision, *since}:
        return None
    return {step: steps[step] for step in since}
