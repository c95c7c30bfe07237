"""`flask release lint`: apply revisions to a scratch database with rows in it, and say what an upgrade would refuse."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from alembic.util.pyfiles import load_module_py
from sqlalchemy import Connection, Engine, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from online_migrations import options
from online_migrations.backfills import store
from online_migrations.connection import direct_connection, read_only_connection
from online_migrations.errors import BrokenFile, ReleaseError, server_message, told
from online_migrations.guard import watch
from online_migrations.guard.guard import MANY_ROWS, MOST_TOLD, Guard
from online_migrations.guard.rules import Violation
from online_migrations.locks import Deadline
from online_migrations.revisions import raised_at, require_consistent_files
from online_migrations.scratch import scratch_database
from online_migrations.sessions import execute_verbatim, is_open
from online_migrations.sql import read_queries
from online_migrations.state.ledger import CONTRACT, EXPAND
from online_migrations.state.tables import TOOL_TABLES, prepare

REST = "Mend it: it has to run on empty tables and on rows of any values. What follows it was not judged."
SECONDS = 60  # for one revision; nobody holds a lock here
STATEMENT_SECONDS = 10  # a join without a condition pairs all of the rows of our making
ROWS = MANY_ROWS + 200  # in a table; more than a step may write at once
WHERE_TO_RUN = "Revisions are judged on one: run it where the database is your own, as beside a development server."

QUERIES = read_queries(__file__, "lint.sql")


def lint(code: ScriptDirectory, metadata: MetaData, only: Sequence[str] = ()) -> list[Violation]:
    """Return the findings of the revisions in `only`, or else of all since the baseline of the options.

    A revision that fails is a finding, and what follows it cannot be judged. The naming convention of the models names
    constraints that a revision does not name.
    """
    try:
        require_consistent_files(code)
    except BrokenFile as error:
        return [Violation("not-imported", error.message, "Then lint again.", "", error.message.partition(":")[0])]
    wanted = _wanted(code, only)
    history = list(code.walk_revisions())[::-1]
    if base := options.current().base_schema:
        history = [script for script in history if script.revision not in _excused(code)]
    findings: list[Violation] = []
    failure: Violation | None = None
    ran: list[Script] | None = list(takewhile(lambda script: script.revision not in wanted, history))
    with scratch_database(WHERE_TO_RUN) as empty:
        with direct_connection(empty) as connection:
            if base:
                _load(connection, Path(base))
            lacking = _furnish(connection, history, metadata)
            prepare(connection)
        while ran is not None and failure is None:
            failure = _first_failure(empty, ran, wanted, metadata, findings)
            history = history[len(ran) :]
            ran = _judge_with_rows(empty, history, wanted, metadata, findings) if failure is None else None
    if failure is not None:
        findings.append(failure._replace(instead=" ".join([REST, *lacking])))
    return _first_of_each(findings)


def _first_failure(
    empty: Engine, scripts: Sequence[Script], wanted: Collection[str], metadata: MetaData, findings: list[Violation]
) -> Violation | None:
    """Run them on empty tables. The last one has failed on rows of our making: if it is wanted, judge it here."""
    with _on_our_path(empty) as connection:
        for script in scripts:
            judged = findings if script is scripts[-1] and script.revision in wanted else None
            _end_backfills(connection)
            failure = _failure(connection, script, metadata, judged)
            if failure and is_open(connection):
                fill(connection)  # it may need rows, as there were when it ran
                failure = _failure(connection, script, metadata, judged)
            if failure:
                return failure
    return None


def _judge_with_rows(
    empty: Engine, history: Sequence[Script], wanted: Collection[str], metadata: MetaData, findings: list[Violation]
) -> list[Script] | None:
    """Judge those that are wanted, on a copy of the database in which tables have rows. Add to the findings.

    Return the revisions up to one that has failed, which is no finding unless it fails without rows of our making too.
    """
    last = max((n for n, script in enumerate(history) if script.revision in wanted), default=-1)
    if last < 0:
        return None
    copy = scratch_database(WHERE_TO_RUN, copy_of=empty.url.database)
    with copy as engine, _on_our_path(engine) as connection:
        for number, script in enumerate(history[: last + 1], 1):
            _end_backfills(connection)
            if script.revision in wanted:
                fill(connection)
            if _failure(connection, script, metadata, findings if script.revision in wanted else None):
                return list(history[:number])
    return None


@contextmanager
def _on_our_path(engine: Engine) -> Iterator[Connection]:
    """Connect to a scratch database, with the search path of the project's own."""
    with read_only_connection() as own:
        path = own.scalar(text("SHOW search_path"))
    with direct_connection(engine) as connection:
        connection.execute(text("SELECT set_config('search_path', :path, false)"), {"path": path})
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_SECONDS}s'"))
        connection.commit()
        yield connection


def _first_of_each(findings: Sequence[Violation]) -> list[Violation]:
    """Tell as many of one rule and line as an upgrade does: a loop over rows breaks it once for each of them."""
    by_line: dict[tuple[str, str], list[Violation]] = {}
    for one in dict.fromkeys(findings):  # one that is judged with rows and without is told once
        by_line.setdefault((one.rule, one.place), []).append(one)
    told: list[Violation] = []
    for same in by_line.values():
        told += same[:MOST_TOLD]
        if (more := len(same) - MOST_TOLD) > 0:
            told[-1] = told[-1]._replace(what=f"{told[-1].what} And {more} more.")
    return told


def _load(connection: Connection, base: Path) -> None:
    """Make what the file of Options.base_schema has."""
    try:
        lines = base.read_text(encoding="utf-8").splitlines()
        execute_verbatim(connection, "\n".join(line for line in lines if not line.startswith("\\")))  # those are psql's
    except (OSError, DBAPIError) as error:
        why = server_message(error) if isinstance(error, DBAPIError) else error.strerror
        dump = "pg_dump --schema-only --no-owner --no-acl"
        raise ReleaseError(f"{base} cannot be loaded: {why}. Make it with: {dump} --file {base}") from error
    execute_verbatim(connection, "RESET ALL")  # pg_dump empties the search path
    connection.commit()


def _furnish(connection: Connection, history: Sequence[Script], metadata: MetaData) -> list[str]:
    """Make what no revision makes: the schemas of the models and of the search path, and the extensions that the
    project's database has. Return a sentence for each one that this role may not create.
    """
    with read_only_connection() as own:
        extensions = own.execute(QUERIES["extensions"]).all()
        schemas = {*own.scalars(QUERIES["schemas"]), *(table.schema for table in metadata.tables.values())}
    for schema in sorted(filter(None, schemas)):
        connection.execute(CreateSchema(schema, if_not_exists=True))
    connection.commit()
    lacking = []
    sources = "\n".join(Path(script.path).read_text(encoding="utf-8", errors="replace") for script in history)
    for name, create in extensions:
        if re.search(rf"CREATE\s+EXTENSION[^;]*\b{re.escape(name)}\b", sources, re.IGNORECASE):
            continue
        try:
            execute_verbatim(connection, create)
        except DBAPIError as error:
            lacking.append(f"Your database has the extension {name}, and this one not: {server_message(error)}.")
        connection.commit()
    return lacking


def _wanted(code: ScriptDirectory, only: Sequence[str]) -> set[str]:
    """Return the revisions to judge: not the baseline, nor what it follows, unless they are named."""
    try:
        if only:
            return {script.revision for name in only for script in code.get_revisions(name)}
        return {script.revision for script in code.walk_revisions()} - _excused(code)
    except CommandError as error:
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error


def _excused(code: ScriptDirectory) -> set[str]:
    """Return the baseline of the options, and all that it follows."""
    baseline = options.current().baseline
    return {script.revision for script in code.iterate_revisions(baseline, "base")} if baseline else set()


def _finding(script: Script, rule: str, what: str, instead: str) -> Violation:
    return Violation(rule, what, instead, script.revision, Path(script.path).name)


def _judge(connection: Connection, script: Script, metadata: MetaData, findings: list[Violation]) -> None:
    """Add all that the guard would refuse, and a phase that is none; commit the step. Raises: ReleaseError."""
    phase = getattr(script.module, "phase", None)
    if phase not in (EXPAND, CONTRACT):
        rule = "phase-missing" if phase is None else "phase-unknown"
        what = f"It says {phase!r} for its phase, so it counts as a contract and a rollback will be refused."
        instead = 'Write phase = "expand" when the previous release runs on the result, else phase = "contract".'
        findings.append(_finding(script, rule, what, instead))
    guard = Guard(connection, None, Deadline(SECONDS), findings.extend)
    with guard.revision(script):
        _apply(connection, script, metadata, guard)
    if guard.watching.commits_early and (failure := _failure(connection, script, metadata)):
        what = f"A part of it is committed before its end, and after a kill it does not run again. {failure.what}"
        instead = "Give each step a revision of its own, or use an operation, which looks first."
        findings.append(_finding(script, "not-rerunnable", what, instead))


def _failure(
    connection: Connection, script: Script, metadata: MetaData, findings: list[Violation] | None = None
) -> Violation | None:
    """Run upgrade() of a fresh module, for it may change its constants; judge it. Return the finding if it fails."""
    fresh = Script(load_module_py(script.module.__name__, script.path), script.revision, script.path)
    try:
        if findings is None:
            _apply(connection, fresh, metadata)
        else:
            _judge(connection, fresh, metadata, findings)
    except ReleaseError as error:
        return _finding(script, "refused", error.message, REST)
    return None


def _apply(connection: Connection, script: Script, metadata: MetaData, guard: Guard | None = None) -> None:
    """Run upgrade() as the runner does. Raise in one sentence how it fails on this database."""
    opts = {"deadline": Deadline(SECONDS), "guard": guard, "is_new": True, "target_metadata": metadata}
    migration = MigrationContext.configure(connection, opts=opts)
    try:
        with (
            watch.refused(script.module),  # other connections lead to the project's own database
            Operations.context(migration),
            migration.begin_transaction(),
        ):
            script.module.upgrade()
    except (ReleaseError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a file may do anything
        why = server_message(error) if isinstance(error, DBAPIError) else told(error)
        place = raised_at(error, script.path) or Path(script.path).name
        raise ReleaseError(f"{place} fails on a scratch database that ran what is before it: {why}.") from error
    finally:
        if is_open(connection):
            connection.rollback()


def fill(connection: Connection) -> None:
    """Give each table that is empty ROWS rows: with a value in every column, or else in the required ones; or one row,
    or none, if a rule does not allow more.
    """
    for table in connection.execute(QUERIES["tables"], {"tools": list(TOOL_TABLES)}).all():
        if connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table.name})")):  # noqa: S608 - quoted by the server
            continue
        columns = connection.execute(QUERIES["columns"], {"oid": table.oid}).all()
        every = {row.name: row.value for row in columns}
        required = {row.name: row.value for row in columns if row.is_required}
        for values, number in ((every, ROWS), (required, ROWS), (required, 1)):
            names = f"({', '.join(values)})" if values else ""
            rows = f"SELECT {', '.join(values.values())} FROM generate_series(1, {number}) n"  # noqa: S608 - likewise
            with suppress(DBAPIError), connection.begin_nested():  # a CHECK, or a key that these values do not meet
                execute_verbatim(connection, f"INSERT INTO {table.name} {names} {rows}")
                break
    connection.commit()


def _end_backfills(connection: Connection) -> None:
    """Do what a worker does between two releases: fill what earlier revisions left to it."""
    for backfill in store.unfinished_backfills(connection):
        with suppress(DBAPIError, store.StillWanted), connection.begin_nested():  # rows of our making may refuse
            store.take_search_path(connection, backfill.search_path)
            store.query_of(backfill).fill_batch(connection, None, ROWS)
        connection.execute(store.completion(backfill.name, ROWS))
    connection.commit()
