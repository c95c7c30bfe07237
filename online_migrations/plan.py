"""`flask release plan`: the SQL of the revisions that are pending, and what `flask db upgrade` would say of them.

The SQL is rendered in Alembic's offline mode. The judgement is the upgrade's own: the checks of the runner, in their
order, on what alembic_version will hold by then.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from online_migrations import revisions
from online_migrations.connection import writable_transaction
from online_migrations.errors import ReleaseError, server_message
from online_migrations.runner import preconditions, renumbering, verification
from online_migrations.state import AHEAD, AT_HEAD, BEHIND, SchemaState, ahead_and_compatible, read_schema_state


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
    """Foretell `flask db upgrade`. Take no lock beyond ACCESS SHARE.

    Args:
        metadata: the models, whose naming convention names constraints that a revision does not name.
    """
    revisions.require_consistent_files(code)
    state = read_schema_state(connection, code)
    notes: list[str] = []
    ran: set[str] = set()
    refusal = None
    try:
        if state.name in (AT_HEAD, BEHIND) and (found := renumbering.find(connection, code, _applied(state))):
            moved, parent = found  # as the upgrade will put it right
            notes, ran = [str(one) for one in moved], {one.now for one in moved}
            pending = [script.revision for script in revisions.pending(code, [parent])]
            state = state._replace(name=BEHIND, database_revision=parent, pending=pending)
        notes += _judge(connection, code, state)
    except ReleaseError as error:
        refusal = error.message
    scripts = [code.get_revision(revision) for revision in state.pending if revision not in ran]
    steps = [render(script, metadata) for script in scripts]
    return Plan(state.name, state.database_revision, refusal, notes, steps)


def _applied(state: SchemaState) -> list[str]:
    return state.database_revision.split(",") if state.database_revision else []


def _judge(connection: Connection, code: ScriptDirectory, state: SchemaState) -> Iterator[str]:
    """Yield what the upgrade would say, and go on. Raise the sentence with which it would be refused."""
    if state.name == AHEAD:
        yield ahead_and_compatible(state)
        return
    applied: Any = tuple(_applied(state))
    with EnvironmentContext(Config(), code, fn=lambda *_: code._upgrade_revs("head", applied)) as environment:
        environment.configure(connection=connection)
        preconditions.check(state, connection, "upgrade")
    if state.name == AT_HEAD:
        try:
            with writable_transaction(connection):
                verification.require_same(connection)
        except DBAPIError as error:  # on a standby, or for a role that may make no temporary table
            yield f"schema and models were not compared: {server_message(error)}"


def render(script: Script, metadata: MetaData | None = None) -> RevisionPlan:
    sql, _, unreadable = preconditions.rehearse(script, metadata)
    return RevisionPlan(script.revision, script.doc, getattr(script.module, "phase", None), sql, unreadable)
