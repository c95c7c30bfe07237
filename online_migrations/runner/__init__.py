"""Migration runner: what `flask db …` runs. migrations/env.py calls run().

One migration runs at a time, with short locks that are tried again, and the guard judges each step before it is
committed. A failed upgrade leaves the database at a complete revision that the live release supports.
"""

import hashlib
import logging
import os
import signal
import warnings
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import alembic
import sqlalchemy
from alembic import context
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, MetaData, Row, text
from sqlalchemy.exc import CompileError, DBAPIError, SAWarning
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from online_migrations import autogenerate, errors, locks, options, state
from online_migrations.autogenerate import REVISION_OPTIONS, target_metadata
from online_migrations.connection import SESSION_SETTINGS, direct_connection, direct_engine
from online_migrations.doctor import NO_VALUE, diagnosis, differences, not_adopted, other_version, require_no_fault
from online_migrations.errors import ReleaseError, failed_statement, server_message, told
from online_migrations.guard.guard import Guard, WouldLose, require_nothing_lost
from online_migrations.locks import Deadline, migration_lock, sqlstate, watch_blockers, with_lock_retries
from online_migrations.operations.catalog import require_explained
from online_migrations.revisions import raised_at, require_consistent_files, unmerged_heads
from online_migrations.sessions import is_open
from online_migrations.sql import DIALECT, OFFLINE_OPTIONS, read_sql
from online_migrations.state import forecasts, ledger, live, tables

ALEMBIC_OPTIONS: dict[str, Any] = {
    "transaction_per_migration": True,  # a failure keeps the revisions that were finished before it
    **REVISION_OPTIONS,
    "on_version_apply": [ledger.record_version, require_explained],
}

STOPPING = (signal.SIGTERM, signal.SIGINT)

# Alembic says this of itself at every command.
NOISE = ("Context impl", "Will assume", "setting up autogenerate plugin", "Detected sequence")

ALREADY_THERE = ("42P06", "42P07", "42701", "42710", "42723")  # SQLSTATE: a schema, a table, a column, …
STAMP = "flask db stamp head"
_CATALOG = read_sql(__file__, "catalog.sql")

LIBRARY = __name__.partition(".")[0]
log = logging.getLogger(__name__)


def run() -> None:
    """Run the `flask db` command that loaded env.py: upgrade, downgrade, stamp, migrate, check, current, …."""
    show_log()
    heed_signals()
    if context.is_offline_mode():
        print_sql()
        return
    require_consistent_files(context.script)
    if autogenerate.is_written_by_hand():
        return
    engine = direct_engine()
    with direct_connection(engine) as connection:
        command = configure(connection)
        compares = command != "retrieve_migrations"  # and judges; migrate and check tell each difference
        logging.getLogger("alembic.autogenerate").setLevel(logging.WARNING if compares else logging.NOTSET)
        try:
            if command in ("upgrade", "downgrade", "do_stamp"):
                migrate(engine, connection, command)
            else:
                run_read_only(connection, command)
        except DBAPIError as error:
            why = there_already(connection, error) if command == "upgrade" else None
            raise ReleaseError(why or failed_statement(error)) from error
        except (ReleaseError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if sentence := failed_file(connection, error):
                raise ReleaseError(
                    f"{sentence}, {told(error)}. Mend the file and run the same command again."
                ) from error
            raise


def failed_file(connection: Connection, error: BaseException) -> str:
    """Say which revision has failed, whose code may do anything; empty: none has."""
    place = raised_at(error, *(script.path for script in context.script.walk_revisions()))
    if is_open(connection):
        return place and f"{place} fails"
    return f"{place or 'A revision'} closes op.get_bind(), which is the migration's own connection"


def show_log() -> None:
    """Print our log lines and Alembic's without the NOISE to stderr, unless the project decides about its log."""
    for name in ("runtime.migration", "runtime.plugins", "ddl.postgresql"):
        logging.getLogger(f"alembic.{name}").addFilter(lambda record: not str(record.msg).startswith(NOISE))
    if logging.getLogger().handlers:
        return
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(logging.Formatter("%(levelname)s [%(name)s] %(message)s"))
    for name in (LIBRARY, "alembic"):
        logger = logging.getLogger(name)
        if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(to_stderr)
            logger.setLevel(logging.INFO)  # else a release that waits for a lock for minutes would say nothing
            logger.propagate = False  # the application's logger, which Flask sets up, would print it once more


def heed_signals() -> None:
    """Let SIGTERM and SIGINT end PID 1 of a container, by a thread: a handler would wait for the driver."""
    if os.getpid() == 1:  # for which the kernel ignores them
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        Thread(target=lambda: os._exit(128 + signal.sigwait(STOPPING)), daemon=True).start()


def configure(connection: Connection, **options: Any) -> str:
    """Bind Alembic to the connection. Return the name of its function for the command: upgrade, do_stamp, …."""
    context.configure(connection=connection, target_metadata=target_metadata(), **options, **ALEMBIC_OPTIONS)
    function = context.get_context()._migrations_fn
    return function.__name__ if function else "none"


def print_sql() -> None:
    """Offline mode, `flask db upgrade --sql`: print the SQL, with the lock_timeout that the runner would set."""
    context.configure(target_metadata=target_metadata(), **OFFLINE_OPTIONS, **ALEMBIC_OPTIONS)
    migration = context.get_context()
    migration.impl.static_output(f"SET lock_timeout = '{SESSION_SETTINGS['lock_timeout']}';")
    with context.begin_transaction():
        for table in tables.ALL:
            migration.execute(CreateTable(table, if_not_exists=True))
        context.run_migrations()


def run_read_only(connection: Connection, command: str) -> None:
    """Run a command that does not change the schema, or refuse it in our words in place of Alembic's."""
    current = schema_state(connection)
    compares = command == "retrieve_migrations"  # check, and migrate
    if compares:
        require_adopted(connection, current)
    if current.foreign or (current.name == state.BEHIND and compares):
        raise ReleaseError(state.refusal(current))
    with warnings.catch_warnings(), context.begin_transaction():
        warnings.simplefilter("ignore", SAWarning)  # of types that SQLAlchemy does not know; the server compares them
        context.run_migrations()


def migrate(engine: Engine, connection: Connection, command: str) -> None:
    """Change the schema under the advisory lock, then check it on the same connection: there may be no other."""
    deadline = deadline_option()
    with migration_lock(connection, deadline), watch_blockers(engine, connection, deadline):
        # Read under the lock: the migration that held it before may have been a newer one.
        current = schema_state(connection)
        if command == "upgrade":
            require_adopted(connection, current)
        tables.prepare(connection)
        if command == "upgrade" and current.name == state.AHEAD:
            log.warning("%s", state.ahead_and_compatible(current))
            return
        if command == "upgrade" and current.name in (state.AT_HEAD, state.BEHIND):
            ledger.follow_renumbering(connection, context.script, state.database_revisions(connection))
            current = schema_state(connection)
        to_run = with_lock_retries(lambda: check(current, connection, command), deadline)
        guard = None
        if to_run and may_be_served(connection, current):
            in_use, lose = live.in_use(connection), lose_option(command)
            guard = with_lock_retries(lambda: Guard(connection, in_use, deadline, lose=lose), deadline)
        is_new = current.database_revision is None
        with_lock_retries(lambda: run_steps(connection, deadline, guard, is_new), deadline)
        verify_committed(connection, state.database_revisions(connection))
        if command == "upgrade":
            compare_with_models(connection, has_run=bool(to_run))
        elif command == "do_stamp":
            for stamped in other_version(connection, schema_state(connection)):
                log.warning("%s If that was not meant: %s", stamped.what, stamped.next)


def check(current: state.SchemaState, connection: Connection, command: str) -> list[Script]:
    """Refuse what must not run on this database, each by its own error, and return the revisions that would run now."""
    migration = context.get_context()
    special = {state.AHEAD_CONTRACT: errors.IncompatibleSchema, state.UNKNOWN: errors.UnknownRevision}
    is_mended = current.name == state.UNKNOWN and migration.purge  # stamp --purge fixes just this
    if current.name in (*special, state.AHEAD) and not is_mended:
        raise special.get(current.name, ReleaseError)(state.refusal(current))
    if command == "do_stamp":
        return []
    if command == "upgrade":
        require_no_fault(connection, current, target_metadata(), context.script)
    heads, function = migration.get_current_heads(), migration._migrations_fn
    connection.rollback()
    try:
        steps = list(function(heads, migration)) if function else []
    except CommandError as error:
        if "ultiple head" in str(error):
            raise ReleaseError(state.two_heads(current, unmerged_heads(context.script))) from error
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    except AttributeError as error:  # Alembic's, as it takes downgrade() from each module
        raise ReleaseError(f"{told(error)}, so there is no way back from it.") from error
    return [step.revision for step in steps]


def lose_option(command: str) -> list[str]:
    """Return what `flask db downgrade -x lose=TABLE.COLUMN -x lose=TABLE` may throw away. Refuse it elsewhere."""
    given = [argument.partition("=") for argument in context.get_x_argument()]
    lose = [value for name, _, value in given if name == "lose"]
    if lose and command != "downgrade":
        raise ReleaseError("-x lose= is for flask db downgrade alone; an upgrade throws nothing away that is in use.")
    return lose


def deadline_option() -> Deadline:
    """Return the deadline of `flask db upgrade -x deadline=SECONDS`, of a day at most."""
    given = context.get_x_argument(as_dictionary=True).get("deadline", locks.DEFAULT_SECONDS)
    with suppress(ValueError):
        if 0 < float(given) <= 86400:
            return Deadline(float(given))
    raise ReleaseError("-x deadline= takes seconds, such as: flask db upgrade -x deadline=600")


def schema_state(connection: Connection) -> state.SchemaState:
    current = state.read_schema_state(connection, context.script)
    connection.rollback()
    return current


def may_be_served(connection: Connection, current: state.SchemaState) -> bool:
    """Tell if a release may be live: not on an empty database, nor if all that ran here note it and none has."""
    if current.database_revision is None:
        return False
    was_never_served = ledger.holds_all(connection) and live.live_release(connection) is None
    connection.rollback()
    if was_never_served:
        log.info("no release has noted that it serves this database, so nothing is judged")
    return not was_never_served


def run_steps(connection: Connection, deadline: Deadline, guard: Guard | None, is_new: bool) -> None:
    """Have Alembic run the steps that an earlier attempt has left. Without a guard, no release serves the database."""
    while True:
        connection.rollback()  # Alembic never commits a transaction that it finds open
        connection.execute(text(f"SET statement_timeout = {deadline.milliseconds()}"))
        connection.commit()
        configure(connection, deadline=deadline, guard=guard, is_new=is_new)
        watch_steps(context.get_context(), ledger.read_history(connection), guard)
        connection.rollback()
        try:
            with context.begin_transaction():
                context.run_migrations()
            return
        except WouldLose as found:
            connection.rollback()
            require_nothing_lost(connection, found)
            if guard is None or guard.watching.commits_early:  # what was committed does not run twice
                raise
            guard.may_lose(found)
        finally:
            if guard is not None:
                guard.close()


def watch_steps(migration: MigrationContext, history: list[Row[Any]], guard: Guard | None) -> None:
    """Have Alembic take its steps through the guard, without those that ran here under another number."""
    find_steps = migration._migrations_fn
    assert find_steps is not None  # noqa: S101 - upgrade, downgrade and stamp have one

    def steps(heads: tuple[str, ...], migration: MigrationContext) -> Iterable[RevisionStep]:
        found = ledger.without_what_ran(find_steps(heads, migration), history)
        return found if guard is None else guard.steps(found)

    migration._migrations_fn = steps


def verify_committed(connection: Connection, expected: list[str]) -> None:
    """Read the revision again, after a rollback, and refuse to go live when the migration was not committed."""
    connection.rollback()
    found = state.database_revisions(connection)
    connection.rollback()
    if found != expected:
        raise ReleaseError(
            f"The migration ended at {expected} but the database is at {found}: nothing of it was kept, and the release"
            " must not go live. See: flask release doctor"
        )
    log.info("the database is at %s", ", ".join(found) or "no revision")


def compare_with_models(connection: Connection, *, has_run: bool) -> None:
    """Compare the schema with the models, whenever an upgrade ends at the head: also when it had nothing to run.

    What the newest revision, if it `has_run` just now, leaves as it was is told and does not end the upgrade. The
    ledger keeps a fingerprint of what was found alike, and nothing is compared again until that is another one.
    """
    metadata, heads = target_metadata(), state.database_revisions(connection)
    if metadata.tables and state.read_schema_state(connection, context.script).name == state.AT_HEAD:
        now = fingerprint(connection, metadata, heads)
        if now is None or ledger.verified(connection, heads) != now:
            connection.rollback()
            require_same(connection, has_run=has_run)
            ledger.verify(connection, heads, now)
    connection.rollback()


def fingerprint(connection: Connection, metadata: MetaData, heads: Collection[str]) -> str | None:
    """Return a hash of all on which the comparison depends; None where the models cannot be written as SQL."""
    try:
        models = list(_as_sql(metadata))
    except CompileError:
        return None
    sources = (path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parents[1].rglob("*.py")))
    code = [sqlalchemy.__version__, alembic.__version__, *sources]  # a newer one may see more
    parts = [*sorted(heads), *code, connection.scalar(_CATALOG), *models]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _as_sql(metadata: MetaData) -> Iterator[str]:
    for _, table in sorted(metadata.tables.items()):
        yield str(CreateTable(table).compile(dialect=DIALECT))
        yield from (str(CreateIndex(index).compile(dialect=DIALECT)) for index in _by_name(table.indexes))
        for key in _by_name(table.foreign_key_constraints):  # one with use_alter is not in the table's own statement
            yield str(AddConstraint(key, isolate_from_table=False).compile(dialect=DIALECT))
        for column in table.columns:
            yield f"{column.name} {column.type!r} {column.default!r}"
        items: tuple[Any, ...] = (table, *table.columns, *_by_name(table.indexes), *_by_name(table.constraints))
        yield str([autogenerate.include_object(one, one.name, one.__visit_name__, False, None) for one in items])
        place = {"schema_name": table.schema, "schema_qualified_table_name": table.fullname}
        yield str(autogenerate.include_name(table.name, "table", place))


def _by_name(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: str(item.name))


def require_same(connection: Connection, *, has_run: bool = False) -> None:
    """Require that what the models map is there, and as they say. What is there besides does no harm."""
    wrong = unlike(connection)
    if wrong and has_run and autogenerate.comes_back(connection, is_mapped):
        log.warning("%s %s", wrong, autogenerate.NO_REVISION_ENDS_IT)
    elif wrong:
        write = "Write what is lacking as a revision, with: flask db migrate"
        raise ReleaseError(f"Everything ran, and still the schema is not what the models say: {wrong} {write}")


def require_adopted(connection: Connection, current: state.SchemaState) -> None:
    """Refuse a database with tables that no revision has made, before anything is made in it."""
    if not (there := not_adopted(connection, current, target_metadata())):
        return
    mapped = {table.name for table in target_metadata().tables.values()}
    if mapped.isdisjoint(name.rpartition(".")[2] for name in there):
        several = ", ".join([*there[:3], *(["…"] if len(there) > 3 else [])])
        what = (
            f"none of its tables ({several}) is the models'. Set {options.current().url_variable} to your own database;"
            f" or, if a tool made these tables, name them in Options(unmapped_prefixes={tuple(there[:3])!r})."
        )
    elif wrong := unlike(connection):
        what = f"its tables are not what the models say: {wrong} Record the newest revision of the code that made them,"
        what += " or base if the revisions begin after it, with: flask db stamp REVISION — and then run this again."
    else:
        first = "" if current.code_head else "Write the first revision against an empty database: flask db migrate. "
        what = f"its tables are what the models say. {first}Record that, with: {STAMP}"
    raise ReleaseError(f"Nothing was changed. This database has no revision, and {what}")


def there_already(connection: Connection, error: DBAPIError) -> str | None:
    """Say how the database came to have what a revision makes, if that is why it failed."""
    if sqlstate(error) not in ALREADY_THERE:
        return None
    connection.rollback()
    why = f"PostgreSQL refused a step: {server_message(error)}."
    for stamped in other_version(connection, state.read_schema_state(connection, context.script)):
        return f"{why} {stamped.what} Put it right with: {stamped.next}"
    return None if unlike(connection) else f"{why} The schema is what the models say. Record that, with: {STAMP}"


def unlike(connection: Connection) -> str:
    """Say how the schema differs from the models, in three sentences at most; nothing when it does no harm."""
    found = differences(connection, options.current().metadata, {**REVISION_OPTIONS, "include_name": is_mapped})
    connection.rollback()
    # An object, a default or a comment that the schema has besides does no harm.
    lacking = [one for one in found if one.action != "remove" and not one.kind.endswith("comment")]
    extra_default = ("modify", "default", NO_VALUE)
    wrong = [diagnosis(one).what for one in lacking if (one.action, one.kind, one.wanted) != extra_default]
    wrong += forecasts.unknown_required(connection, live.mapped_tables(options.current().metadata))
    connection.rollback()
    return " ".join(f"{one.rstrip('.')}." for one in wrong[:3])


def is_mapped(name: str | None, type_: str, parents: Any) -> bool:
    """Leave out the tables that no model maps, which do no harm: Alembic would read each of them."""
    mapped = options.current().metadata.tables
    is_needed = type_ != "table" or name in mapped or parents["schema_qualified_table_name"] in mapped
    return is_needed and autogenerate.include_name(name, type_, parents)
