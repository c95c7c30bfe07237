"""Checks for what is there and does not hold: INVALID indexes, NOT VALID and NOT ENFORCED constraints.

Only tables on the search path are looked at. Another application may have schemas of its own in this database.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.release.doctor.diagnosis import ERROR, Diagnosis, psql, psql_with_strong_lock

# An index that is being built stands in pg_stat_progress_create_index. REINDEX CONCURRENTLY builds under another name.
_INVALID_INDEXES = text(
    "SELECT i.indexrelid::regclass::text AS index, i.indrelid::regclass::text AS table, c.relname"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND pg_table_is_visible(i.indrelid)"
    " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)"
    " ORDER BY 1"
)
# A constraint that is NOT ENFORCED (PostgreSQL 18) is never validated, on purpose.
_NOT_VALID_CONSTRAINTS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name, c.contype::text AS type,"
    " (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = c.conkey[1]) AS column"
    " FROM pg_constraint c WHERE NOT c.convalidated AND c.conrelid <> 0 AND pg_table_is_visible(c.conrelid)"
    " AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) ORDER BY 1, 2"
)

_NOT_ENFORCED_FOREIGN_KEYS = text(
    "SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS name FROM pg_constraint c"
    " WHERE c.contype = 'f' AND pg_table_is_visible(c.conrelid) AND NOT (to_jsonb(c) ->> 'conenforced')::boolean"
    " ORDER BY 1, 2"
)
# A dual write (operations/dual_writes.py) names its trigger so, and marks a column that only the trigger writes.
_UNKEPT_SHADOWS = text(
    "SELECT a.attrelid::regclass::text AS table, quote_ident(a.attname) AS column FROM pg_attribute a"
    " WHERE col_description(a.attrelid, a.attnum) LIKE 'shadow: %' AND pg_table_is_visible(a.attrelid)"
    " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = a.attrelid AND starts_with(tgname, 'zz_dual_write'))"
    " ORDER BY 1, 2"
)


def read_invalid_indexes(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(_INVALID_INDEXES))


def invalid_indexes(rows: Iterable[Row[Any]], expected: Collection[str] | None) -> Iterator[Diagnosis]:
    """A CREATE INDEX CONCURRENTLY that failed leaves one: every write maintains it, and no query uses it.

    Args:
        expected: names of the indexes that the models have; another is no use when it is valid either. None: unknown,
            because the database is not at the code's head.
    """
    for row in rows:
        what = f"The index {row.index} on {row.table} is INVALID: writes pay for it, and no query uses it."
        # REINDEX CONCURRENTLY leaves its copy under such a name. The original index still stands.
        is_copy = re.search(r"_cc(?:new|old)\d*$", row.relname)
        is_wanted = (expected is None or row.relname in expected) and not is_copy
        command = "REINDEX INDEX CONCURRENTLY" if is_wanted else "DROP INDEX CONCURRENTLY"
        yield Diagnosis(ERROR, "invalid-index", what, psql(f"{command} {row.index}"))


def not_valid_constraints(connection: Connection) -> Iterator[Diagnosis]:
    """A NOT VALID constraint holds for new rows only; older rows were never checked."""
    for row in connection.execute(_NOT_VALID_CONSTRAINTS):
        command = psql(f"ALTER TABLE {row.table} VALIDATE CONSTRAINT {row.name}")
        if row.type == "n":  # since PostgreSQL 18; nothing else shows it, because attnotnull is already true
            what = f"{row.table}.{row.column} is NOT NULL only for new rows: {row.name} is NOT VALID."
            yield Diagnosis(ERROR, "not-null-not-valid", what, command)
        else:
            what = f"The constraint {row.name} on {row.table} is NOT VALID: rows from before may break it."
            yield Diagnosis(ERROR, "not-valid-constraint", what, command)


def not_enforced_foreign_keys(connection: Connection) -> Iterator[Diagnosis]:
    """Since PostgreSQL 18. No model says so, and `flask db check` does not see it."""
    for row in connection.execute(_NOT_ENFORCED_FOREIGN_KEYS):
        what = (
            f"Nothing checks the foreign key {row.name} on {row.table}: it is NOT ENFORCED. Rows of now may break it."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {row.table} ALTER CONSTRAINT {row.name} ENFORCED")
        yield Diagnosis(ERROR, "not-enforced-constraint", what, command)


def unkept_shadows(connection: Connection) -> Iterator[Diagnosis]:
    """The shadow column of a changed type, without the trigger that keeps it right."""
    for row in connection.execute(_UNKEPT_SHADOWS):
        what = (
            f"No trigger keeps {row.table}.{row.column} any more, the shadow of a column whose type changes: what it"
            " holds is old. Without it, the change cannot be reversed."
        )
        command = psql_with_strong_lock(f"ALTER TABLE {row.table} DROP COLUMN {row.column}")
        yield Diagnosis(ERROR, "unkept-shadow", what, command)
