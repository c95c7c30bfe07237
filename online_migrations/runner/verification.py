"""After an upgrade, verify that it was committed and that the schema matches the models."""

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import alembic
import sqlalchemy
from alembic import context
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from online_migrations import options
from online_migrations.autogenerate import (
    NO_REVISION_ENDS_IT,
    REVISION_OPTIONS,
    comes_back,
    include_name,
    include_object,
    target_metadata,
)
from online_migrations.doctor.checks import other_version, tables_there
from online_migrations.doctor.drift import NO_VALUE, Difference, diagnosis, differences
from online_migrations.errors import ReleaseError, server_message
from online_migrations.locks import sqlstate
from online_migrations.sql import DIALECT, read_sql
from online_migrations.state import AT_HEAD, SchemaState, database_revisions, ledger, read_schema_state, tables
from online_migrations.state.forecast import unknown_required
from online_migrations.state.live import mapped_tables

ALREADY_THERE = ("42P06", "42P07", "42701", "42710", "42723")  # SQLSTATE: a schema, a table, a column, …
STAMP = "flask db stamp head"
_CATALOG = read_sql(__file__, "catalog.sql")

log = logging.getLogger(__name__)


def verify_committed(connection: Connection, expected: list[str]) -> None:
    """Read the revision again, after a rollback, and refuse to go live when the migration was not committed."""
    connection.rollback()
    found = database_revisions(connection)
    connection.rollback()
    if found != expected:
        raise ReleaseError(
            f"The migration ended at {expected} but the database is at {found}: nothing of it was kept, and the release"
            " must not go live. See: flask release doctor"
        )
    log.info("the database is at %s", ", ".join(found) or "no revision")


def compare_with_models(connection: Connection, *, has_run: bool) -> None:
    """Compare the schema with the models, whenever an upgrade ends at the head: also when it had nothing to run.

    What the newest revision, if it `has_run` just now, leaves as it was is told and does not end the upgrade.

    The ledger keeps a fingerprint of what was found alike, so that an upgrade compares again when the models or the
    catalog have changed, and only then.
    """
    metadata, heads = target_metadata(), database_revisions(connection)
    if metadata.tables and read_schema_state(connection, context.script).name == AT_HEAD:
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
    parts = [*sorted(heads), sqlalchemy.__version__, alembic.__version__, connection.scalar(_CATALOG), *models]
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
        yield str([include_object(one, one.name, one.__visit_name__, False, None) for one in items])
        place = {"schema_name": table.schema, "schema_qualified_table_name": table.fullname}
        yield str(include_name(table.name, "table", place))


def _by_name(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: str(item.name))


def require_same(connection: Connection, *, has_run: bool = False) -> None:
    """Require that what the models map is there, and as they say. What is there besides does no harm."""
    wrong = unlike(connection)
    if wrong and has_run and comes_back(connection, is_mapped):
        log.warning("%s %s", wrong, NO_REVISION_ENDS_IT)
    elif wrong:
        raise ReleaseError(
            f"Everything ran, and still the schema is not what the models say: {wrong}"
            " Write what is lacking as a revision, with: flask db migrate"
        )


def require_adopted(connection: Connection, current: SchemaState) -> None:
    """Refuse a database with tables that no revision has made, before anything is made in it."""
    mapped = {table.name for table in target_metadata().tables.values()}
    if not mapped or current.database_revision or tables.exists(connection, tables.LEDGER):
        return
    there = tables_there(connection, target_metadata())
    if not there:
        return
    if mapped.isdisjoint(name.rpartition(".")[2] for name in there):
        several = ", ".join(there[:3]) + (", …" if len(there) > 3 else "")
        what = (
            f"none of its tables ({several}) is the models'. Set {options.current().url_variable} to your own database"
        )
        what += f"; or, if a tool made these tables, name them in Options(unmapped_prefixes=({there[0]!r},))."
    elif wrong := unlike(connection):
        what = f"its tables are not what the models say: {wrong} Record the newest revision of the code that made them"
        what += ", with: flask db stamp REVISION — and then run: flask db upgrade"
    else:
        what = f"its tables are what the models say. Record that, with: {STAMP}"
    raise ReleaseError(f"Nothing was changed. This database has no revision, and {what}")


def there_already(connection: Connection, error: DBAPIError) -> str | None:
    """Say how the database came to have what a revision makes, if that is why it failed."""
    if sqlstate(error) not in ALREADY_THERE:
        return None
    connection.rollback()
    why = f"PostgreSQL refused a step: {server_message(error)}."
    for stamped in other_version(connection, read_schema_state(connection, context.script)):
        return f"{why} {stamped.what} Put it right with: {stamped.next}"
    return None if unlike(connection) else f"{why} The schema is what the models say. Record that, with: {STAMP}"


def unlike(connection: Connection) -> str:
    """Say how the schema differs from the models, in three sentences at most; nothing when it does no harm."""
    found = differences(connection, options.current().metadata, {**REVISION_OPTIONS, "include_name": is_mapped})
    connection.rollback()
    wrong = [diagnosis(one).what for one in found if not _is_harmless(one)]
    wrong += unknown_required(connection, mapped_tables(options.current().metadata))
    connection.rollback()
    return " ".join(f"{one.rstrip('.')}." for one in wrong[:3])


def is_mapped(name: str | None, type_: str, parents: Any) -> bool:
    """Leave out the tables that no model maps, which do no harm: Alembic would read each of them."""
    mapped = options.current().metadata.tables
    is_needed = type_ != "table" or name in mapped or parents["schema_qualified_table_name"] in mapped
    return is_needed and include_name(name, type_, parents)


def _is_harmless(one: Difference) -> bool:
    """Return whether the schema only has more than the models say: an object, a default or a comment besides."""
    is_extra_default = (one.action, one.kind, one.wanted) == ("modify", "default", NO_VALUE)
    return one.action == "remove" or is_extra_default or one.kind.endswith("comment")
