"""Predicate implication: whether every row that one CHECK takes, another one takes too.

PostgreSQL's planner proves it. With constraint exclusion it does not read a table whose CHECK refutes the condition of
a query. So the old CHECK is put on an empty temporary copy of the table, and the query asks for rows that the new one
refuses. NULL passes both. What the planner cannot prove counts as not so: another function, a regular expression, or a
list of more than 100 values (MAX_SAOP_ARRAY_SIZE in src/backend/optimizer/util/predtest.c).

Columns that a row leaves out: whether a CHECK is sure to take such a row, or to refuse it.

PostgreSQL's planner tells. In a query for the rows that the CHECK refuses, the columns that are left out are replaced
by their defaults, or NULL. When the planner folds the condition to false, there can be no such row.

Defaults: whether the table is sure to take a row that leaves a column to its default.

PostgreSQL keeps a default as an expression, and computes it with the row. So one that does not fit its column is not
refused before. Here it is computed in a temporary table, which is rolled back, and held against the column's rules.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from online_migrations.connection import driver_connection, execute_raw, execute_verbatim
from online_migrations.definitions import empty_copies
from online_migrations.guard.effect import Effect, qualified
from online_migrations.guard.snapshot import FILLED_BY_TRIGGER
from online_migrations.sql import literal, quote

NOTHING: Mapping[str, str] = {}

_ROW = text(
    "SELECT string_agg(CASE WHEN CAST(:given AS jsonb) ? attname"  # noqa: S608 - of constants
    " THEN format('CAST(%s AS %s) AS %I', CAST(:given AS jsonb) ->> attname, format_type(atttypid, atttypmod), attname)"
    " WHEN attname <> ALL (:left_out) OR attgenerated <> '' OR attidentity <> ''"
    f" OR {FILLED_BY_TRIGGER}"
    " THEN quote_ident(attname) ELSE format('CAST(%s AS %s) AS %I',"
    " coalesce(pg_get_expr(adbin, adrelid), pg_get_expr(typdefaultbin, 0), 'NULL'),"
    " format_type(atttypid, atttypmod), attname) END, ', ')"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid"
    " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    " WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
)


def takes_rows_without(
    connection: Connection, effect: Effect, left_out: Collection[str], given: Mapping[str, str] = NOTHING
) -> bool:
    """Prove that a CHECK accepts every row that omits these columns, whatever stands in the others.

    Args:
        given: what such a row holds in some of them, as SQL, in place of their defaults.

    What a trigger may fill counts as one of the others. What cannot be computed beforehand, such as now(),
    counts as not met. A CHECK is met unless it is false (PostgreSQL manual, "Check Constraints").
    """
    return _is_never(connection, effect.table, left_out, given, f"NOT ({effect.check})")


def refuses_rows_without(
    connection: Connection, effect: Effect, left_out: Collection[str], given: Mapping[str, str] = NOTHING
) -> bool:
    """Prove that a CHECK refuses every such row. What cannot be computed counts as accepted."""
    return _is_never(connection, effect.table, left_out, given, f"({effect.check}) IS NOT FALSE")


def _is_never(
    connection: Connection, table: str, left_out: Collection[str], given: Mapping[str, str], condition: str
) -> bool:
    schema, _, name = table.partition(".")
    table = f"{quote(schema)}.{quote(name)}"
    row = connection.scalar(_ROW, {"table": table, "left_out": list(left_out), "given": json.dumps(given)})
    rows = f"SELECT {row} FROM {table}"  # noqa: S608 - of the catalog
    sql = f"EXPLAIN (FORMAT JSON) SELECT FROM ({rows}) row_of_old_code WHERE {condition}"
    try:
        with tried(connection):
            [plan] = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalar_one()
    except DBAPIError:
        return False
    return bool(plan["Plan"].get("One-Time Filter") == "false")


@contextmanager
def tried(connection: Connection) -> Iterator[None]:
    """Roll back what the block does. The transaction, if there is one, goes on, also after an error."""
    is_idle = driver_connection(connection).info.transaction_status == TRANSACTION_STATUS_IDLE
    execute_raw(connection, "BEGIN" if is_idle else "SAVEPOINT tried")
    try:
        yield
    finally:
        execute_raw(connection, "ROLLBACK" if is_idle else "ROLLBACK TO tried; RELEASE tried")


_COLUMN = text(
    "SELECT format_type(atttypid, atttypmod) AS type, attnotnull OR typnotnull AS required FROM pg_attribute"
    " JOIN pg_type t ON t.oid = atttypid WHERE attrelid = to_regclass(:table) AND attname = :column"
)
# Rules that a row of one column alone can break: CHECKs, foreign keys and unique indexes.
_RULES = text(
    "SELECT contype::text AS type, pg_get_expr(conbin, conrelid) AS condition, confrelid::regclass::text AS referred,"
    " (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1]) AS key,"
    " ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns"
    " FROM pg_constraint JOIN pg_attribute a ON attrelid = conrelid AND attnum = ANY (conkey)"
    " WHERE conrelid = to_regclass(:table) AND attname = :column AND pg_get_constraintdef(pg_constraint.oid)"
    "  NOT LIKE '% NOT ENFORCED' AND (contype = 'c' OR contype = 'f' AND cardinality(conkey) = 1)"
    " UNION ALL SELECT 'u', NULL, NULL, NULL, NULL FROM pg_index JOIN pg_attribute ON attrelid = indrelid"
    "  AND attnum = indkey[0] WHERE indrelid = to_regclass(:table) AND attname = :column AND indisunique AND indislive"
    "  AND indnkeyatts = 1 AND indpred IS NULL"
)


def takes_default(connection: Connection, effect: Effect, written: frozenset[str]) -> bool:
    """Tell whether every row that leaves the column of the effect to the new default is taken.

    A default that differs from row to row counts as it is now. Of numbers, as a sequence gives them, also those above
    are its own: a sequence that starts over meets the rows that are there.

    Args:
        written: columns in which such a row may hold anything.
    """
    schema, _, name = effect.table.partition(".")
    table = f"{quote(schema)}.{quote(name)}"
    [column] = effect.columns
    of_column = {"table": table, "column": column}
    found = connection.execute(_COLUMN, of_column).one_or_none()
    if found is None:  # renamed since
        return False
    try:
        value, next_value = _computed(connection, found.type, effect.default)
    except DBAPIError:
        return False
    if value is None and found.required:
        return False
    sql_value = "NULL" if value is None else literal(value)
    rules = connection.execute(_RULES, of_column).all()
    if not all(
        takes_rows_without(
            connection, effect._replace(check=rule.condition), set(rule.columns) - written, {column: sql_value}
        )
        for rule in rules
        if rule.type == "c"
    ):
        return False
    if value is None:
        return True
    if any(rule.type == "u" for rule in rules):
        is_number = found.type in ("smallint", "integer", "bigint")
        if value == next_value or (is_number and _is_used(connection, f"{table} WHERE {quote(column)} >= {sql_value}")):
            return False
    return all(
        _is_used(connection, f"{rule.referred} WHERE {rule.key} = {sql_value}") for rule in rules if rule.type == "f"
    )


def _computed(connection: Connection, type_: str, default: str) -> list[str | None]:
    """Return what two rows get, as text.

    Raises:
        DBAPIError: it cannot be computed, or does not fit the type.
    """
    if not default:
        return [None, None]
    sql = (
        f"CREATE TEMPORARY TABLE default_probe (value {type_});"  # noqa: S608 - of the catalog, and of the revision
        f" ALTER TABLE pg_temp.default_probe ALTER value SET DEFAULT {default};"
        " INSERT INTO pg_temp.default_probe VALUES (DEFAULT), (DEFAULT) RETURNING CAST(value AS text)"
    )
    with tried(connection):
        return list(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).scalars())


def _is_used(connection: Connection, rows: str) -> bool:
    query = f"SELECT EXISTS (SELECT FROM {rows})"  # noqa: S608 - of the catalog
    return bool(connection.exec_driver_sql(query, execution_options={"no_parameters": True}).scalar_one())


_CHECK = re.compile(r"CHECK (?P<condition>\(.*\))", re.DOTALL)  # not so one that is NO INHERIT or NOT ENFORCED


def takes_all(connection: Connection, table: str, old: str, new: str) -> bool:
    """Tell whether a row that the old constraint takes is sure to be taken by the new one.

    Args:
        old, new: definitions, such as "CHECK (size < 10)". Of other constraints it is not known.
    """
    wanted = _CHECK.fullmatch(new)
    if wanted is None or not _CHECK.fullmatch(old):
        return False
    with empty_copies(connection, table):
        execute_verbatim(connection, f"ALTER TABLE {quote(table)} ADD {old}; SET LOCAL constraint_exclusion = on")
        query = f"EXPLAIN (FORMAT JSON) SELECT FROM {quote(table)} WHERE NOT {wanted['condition']}"
        [explained] = connection.exec_driver_sql(query, execution_options={"no_parameters": True}).scalar_one()
    return bool(explained["Plan"].get("One-Time Filter") == "false")


# The columns that take their numbers from a sequence: as an identity, a serial, or by a default.
_NUMBERED = text(
    "SELECT attrelid::regclass::text AS name, quote_ident(attname) AS column_name, EXISTS (SELECT FROM pg_index"
    "  WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid AND indpred IS NULL) AS is_indexed"
    " FROM pg_attribute WHERE (attrelid, attnum) IN ("
    "  SELECT refobjid, refobjsubid FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = :sequence"
    "   AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')"
    "  UNION SELECT adrelid, adnum FROM pg_depend JOIN pg_attrdef d ON d.oid = objid"
    "   WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = :sequence)".replace(
        "::", r"\:\:"
    )
)
_COUNTS_UP = text(
    "SELECT seqincrement FROM pg_sequence WHERE seqrelid = :sequence AND seqincrement > 0",
)


def gives_new_numbers(connection: Connection, effect: Effect) -> bool:
    """Tell whether a sequence that was set back is still above the numbers of all rows.

    Not known where it counts down, where no column takes its numbers, or where finding the highest one would read all
    rows.
    """
    sequence = {"sequence": effect.key[1] if effect.key else 0}
    increment, columns = connection.scalar(_COUNTS_UP, sequence), connection.execute(_NUMBERED, sequence).all()
    if increment is None or not columns or not all(column.is_indexed for column in columns):
        return False
    schema, _, name = qualified(effect.subject).partition(".")
    following = f"SELECT CASE WHEN is_called THEN last_value + {increment} ELSE last_value END FROM"
    highest = (f"(SELECT coalesce(max({one.column_name}), 0) FROM {one.name})" for one in columns)  # noqa: S608
    query = f"SELECT ({following} {quote(schema)}.{quote(name)}) > greatest({', '.join(highest)})"
    return bool(connection.exec_driver_sql(query, execution_options={"no_parameters": True}).scalar_one())
