"""Rollback forecast, before it is done: may the code of an earlier release serve on this database again?

A release that noted what it uses is judged by that (forecast.py). Of any other the phases of the steps since then
decide: it can run if all of them are expand steps.
"""

from typing import NamedTuple

from sqlalchemy import Connection

from online_migrations import revisions
from online_migrations.errors import IncompatibleSchema, UnknownRevision
from online_migrations.state import ledger, live, read_schema_state
from online_migrations.state.forecast import forecast
from online_migrations.state.live import LiveRelease

YES, NO, UNKNOWN = "yes", "no", "unknown"
# Those with which the rolled-back code's own `flask db upgrade` ends.
EXIT_CODES = {YES: 0, NO: IncompatibleSchema.exit_code, UNKNOWN: UnknownRevision.exit_code}


class RollbackForecast(NamedTuple):
    """
    Args:
        to: the head revision of the code.
        answer: one of the constants above.
        live_at: when this code last began to serve, as ISO 8601; None: nobody noted that it did.
        since: the revisions that the code does not have, applied or pending.
        reasons: why not, or why it is unknown, a clause each.
    """

    to: str | None
    answer: str
    live_at: str | None
    since: list[str]
    reasons: list[str]


class _Step(NamedTuple):
    revision: str
    parents: list[str]
    phase: str
    pending: bool


def to_revision(connection: Connection, revision: str) -> RollbackForecast:
    """May code whose head is `revision` serve, now and after the revisions that are pending?"""
    return _forecast(connection, revision, live.release_at(connection, revision))


def to_release_before(connection: Connection) -> RollbackForecast:
    """May the release before the live one serve again?"""
    release = live.release_before(connection)
    if release is None:
        reason = "no release before the live one is noted; name its newest revision: flask release plan --to REVISION"
        return RollbackForecast(None, UNKNOWN, None, [], [reason])
    return _forecast(connection, release.code_head, release)


def _forecast(connection: Connection, revision: str, release: LiveRelease | None) -> RollbackForecast:
    steps = _steps_since(connection, revision)
    since = [step.revision for step in steps or []]
    contracts = [step for step in steps or [] if step.phase != ledger.EXPAND]
    if release is None:
        return RollbackForecast(revision, *_by_phases(revision, steps, contracts))
    live_at = release.live_at.isoformat(timespec="seconds")
    if reasons := forecast(connection, release):
        return RollbackForecast(revision, NO, live_at, since, reasons)
    reasons = [f"{step.revision} is pending and a contract step" for step in contracts if step.pending]
    return RollbackForecast(revision, UNKNOWN if reasons else YES, live_at, since, reasons)


def _by_phases(
    revision: str, steps: list[_Step] | None, contracts: list[_Step]
) -> tuple[str, None, list[str], list[str]]:
    if steps is None:
        reason = f"neither this code nor the database's ledger knows a way from {revision} to the database's revision"
        return UNKNOWN, None, [], [reason]
    reasons = [f"{step.revision} is a contract step" for step in contracts]
    return NO if reasons else YES, None, [step.revision for step in steps], reasons


def _steps_since(connection: Connection, revision: str) -> list[_Step] | None:
    """The steps that code ending with `revision` does not have, the newest first; None: it is not on their way."""
    state = read_schema_state(connection)
    steps = _all_steps(connection, state.pending)
    newest = state.code_head if state.pending else state.database_revision or ""
    way = _with_ancestors(steps, newest.split(","))
    if revision not in way:
        return None
    own = _with_ancestors(steps, [revision])
    return [step for step in way.values() if step.revision not in own]


def _all_steps(connection: Connection, pending: list[str]) -> dict[str, _Step]:
    """Of this code and of the ledger, which says what really ran."""
    steps = {}
    code = revisions.script_directory()
    for script in code.walk_revisions():
        before = revisions.parents(script, code.revision_map)
        steps[script.revision] = _Step(script.revision, before, ledger.phase_of(script), script.revision in pending)
    for revision, entry in ledger.read_entries(connection).items():
        steps[revision] = _Step(revision, entry.down_revisions, entry.phase, pending=False)
    return steps


def _with_ancestors(steps: dict[str, _Step], heads: list[str]) -> dict[str, _Step]:
    """The heads and all that lies before them, as far as it is known; breadth first."""
    found: dict[str, _Step] = {}
    to_visit = list(heads)
    while to_visit:
        revision = to_visit.pop(0)
        if revision in steps and revision not in found:
            found[revision] = steps[revision]
            to_visit += steps[revision].parents
    return found
