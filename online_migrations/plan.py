"""`flask release plan`: what the next upgrade would run, and whether a rollback is safe.

The SQL of the revisions that are pending is rendered in Alembic's offline mode. The judgement is the upgrade's own, by
the checks of the runner. The code of an earlier release is judged by what it noted, or else by the phases of the steps
since then: it can run if all of them are expand steps.
"""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

from online_migrations import revisions, state
from online_migrations.backfills import store
from online_migrations.connection import writable_transaction
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.errors import IncompatibleSchema, ReleaseError, UnknownRevision, server_message, told
from online_migrations.guard.watch import refused
from online_migrations.runner import check, require_adopted, require_same
from online_migrations.sql import DIALECT, quote
from online_migrations.state import SchemaState, forecasts, ledger, live
from online_migrations.state.ledger import EXPAND
from online_migrations.state.tables import RELEASES

YES, NO, UNKNOWN = "yes", "no", "unknown"
# The rolled-back code's own `flask db upgrade` ends with the same.
EXIT_CODES = {YES: 0, NO: IncompatibleSchema.exit_code, UNKNOWN: UnknownRevision.exit_code}

_RETIRED = re.compile(rf"COMMENT ON (?:TABLE|COLUMN) (\S+) IS '{re.escape(RETIRED_COMMENT)}'")
_DROPPED = re.compile(r"(?:DROP TABLE IF EXISTS|ALTER TABLE) (\S+?)(?:;| DROP COLUMN IF EXISTS (\S+?);)")

NOTHING = "BEGIN;\n\nCOMMIT;\n\n"  # an operation ends Alembic's transaction before it begins its own


class RevisionPlan(NamedTuple):
    revision: str
    title: str
    phase: str | None
    sql: str  # with the transactions in which it is sent
    unreadable: str | None  # why the SQL, or the rest of it, cannot be shown


class Plan(NamedTuple):
    state: str
    database_revision: str | None
    refused: str | None  # the sentence with which `flask db upgrade` would end; None: it would run the revisions
    notes: list[str]  # what it would say besides
    revisions: list[RevisionPlan]


def plan(connection: Connection, code: ScriptDirectory, metadata: MetaData) -> Plan:
    """Foretell `flask db upgrade`. Take no lock beyond ACCESS SHARE."""
    revisions.require_consistent_files(code)
    current, applied = state.read_schema_state(connection, code), state.database_revisions(connection)
    notes: list[str] = []
    ran: set[str | None] = set()
    refusal = None
    try:
        moved = ledger.other_files(connection, code, applied) if current.name in (state.AT_HEAD, state.BEHIND) else []
        ledger.require_renumbered(moved, applied)
        if moved:  # the upgrade will put it right
            parent = str(moved[-1].script.down_revision)
            notes, ran, applied = [str(one) for one in moved], {one.now for one in moved}, [parent]
            pending = [script.revision for script in revisions.pending(code, applied)]
            current = current._replace(name=state.BEHIND, database_revision=parent, pending=pending)
        notes += _judge(connection, code, current, applied)
    except ReleaseError as error:
        refusal = error.message
    scripts = [code.get_revision(revision) for revision in current.pending if revision not in ran]
    steps = [render(script, metadata) for script in scripts]
    notes += [*_of_partitions(connection, steps), *_too_early(steps)]
    for one in store.unfinished_backfills(connection):
        notes.append(
            f"The backfill {one.name} is not done, and a step that needs it is refused: {store.progress(one)}."
        )
    return Plan(current.name, current.database_revision, refusal, notes, steps)


def _of_partitions(connection: Connection, steps: list[RevisionPlan]) -> Iterator[str]:
    """Yield what the SQL, which is rendered without the database, cannot show of partitioned tables."""
    sql = "\n".join(step.sql for step in steps)
    for name in connection.scalars(text("SELECT relname FROM pg_class WHERE relkind = 'p' ORDER BY 1")):
        if re.search(rf"\b(ON|TABLE) {re.escape(quote(name))}(?!\w)", sql):
            yield f"{name} is partitioned: its partitions get an index or a constraint one by one, and then the whole."


def _too_early(steps: list[RevisionPlan]) -> Iterator[str]:
    """Yield which steps drop what the live release may use until this one serves."""
    retired_by: dict[str, str] = {}
    for step in steps:
        retired_by |= dict.fromkeys(_RETIRED.findall(step.sql), step.revision)
        for table, column in _DROPPED.findall(step.sql):
            name = f"{table}.{column}" if column else table
            if name in retired_by:
                both = f"{step.revision} drops {name}, which {retired_by[name]} retires in this same release."
                yield f"{both} Where one is live, the upgrade ends in between: release up to {retired_by[name]} first."


def _judge(connection: Connection, code: ScriptDirectory, current: SchemaState, applied: list[str]) -> Iterator[str]:
    """Yield what the upgrade would say, and go on. Raise the sentence with which it would be refused."""
    if current.name == state.AHEAD:
        yield state.ahead_and_compatible(current)
        return
    heads: Any = tuple(applied)
    with EnvironmentContext(Config(), code, fn=lambda *_: code._upgrade_revs("head", heads)) as environment:
        environment.configure(connection=connection)
        check(current, connection, "upgrade")
    if current.database_revision and current.name != state.AT_HEAD:
        return
    try:
        with writable_transaction(connection):
            require_adopted(connection, current)
            if current.name == state.AT_HEAD:
                require_same(connection)
    except DBAPIError as error:  # on a standby, or for a role that may make no temporary table
        yield f"schema and models were not compared: {server_message(error)}"


def render(script: Script, metadata: MetaData | None = None) -> RevisionPlan:
    """Render upgrade() as `flask db upgrade --sql` does, which would print the SQL of all revisions."""
    printed = StringIO()
    opts = {"as_sql": True, "literal_binds": True, "output_buffer": printed, "target_metadata": metadata}
    migration = MigrationContext.configure(dialect=DIALECT, opts=opts)
    unreadable = None
    with refused(script.module), Operations.context(migration):
        try:
            with migration.begin_transaction():
                script.module.upgrade()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a file may do anything; the plan says what went wrong
            unreadable = told(error).splitlines()[0]
    sql = printed.getvalue().replace(NOTHING, "").strip()
    return RevisionPlan(script.revision, script.doc, getattr(script.module, "phase", None), sql, unreadable)


class RollbackForecast(NamedTuple):
    to: str | None  # the head revision of the code
    answer: str  # one of the constants above
    live_at: str | None  # when this code last began to serve, as ISO 8601; None: it has not noted that it did
    since: list[str]  # the revisions that the code does not have, applied or pending, the newest first
    reasons: list[str]  # why not, or why it is unknown, a clause each


def roll_back(connection: Connection, to: str | None = None) -> RollbackForecast:
    """Judge code with this head, or the release before the live one: now, and after the revisions that are pending."""
    which = [RELEASES.c.code_head == to] if to else []
    release = live.live_release(connection, *which, place=0 if to else 1)
    revision = release.code_head if release else to
    if revision is None:
        reason = "no release before the live one is noted; name its newest revision: flask release plan --to REVISION"
        return RollbackForecast(None, UNKNOWN, None, [], [reason])
    current, code = state.read_schema_state(connection), revisions.script_directory()
    newest = code.get_heads() if current.pending else state.database_revisions(connection)
    steps = ledger.read_steps(connection, code)
    found, is_known = ledger.steps_since(steps, newest, [revision])
    since = found if is_known else []
    contracts = [step for step in since if steps[step].phase != EXPAND]
    answer = UNKNOWN  # if there are reasons why not
    if release is None and is_known:
        answer, reasons = NO, [f"{step} is a contract step" for step in contracts]
    elif release is None:
        way = f"a way from {revision} to the database's revision"
        reasons = [f"neither this code nor the database's ledger knows {way}"]
    elif reasons := list(forecasts.forecast(connection, release)):
        answer = NO
    else:
        reasons = [f"{step} is pending and a contract step" for step in contracts if step in current.pending]
    live_at = release.live_at.isoformat(timespec="seconds") if release else None
    return RollbackForecast(revision, answer if reasons else YES, live_at, since, reasons)
