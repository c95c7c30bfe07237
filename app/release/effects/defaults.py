"""Defaults: whether the table is sure to take a row that leaves a column to its default.

PostgreSQL keeps a default as an expression, and computes it with the row. So one that does not fit its column is not
refused before. Here it is computed in a temporary table, which is rolled back, and held against the column's rules.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.release.effects.effect import Effect
from app.release.effects.left_out import takes_rows_without, tried
from app.release.sql.dialect import literal, quote

_COLUMN = text(
    "SELECT format_type(atttypid, atttypmod) AS type, attnotnull OR typnotnull AS required FROM pg_attribute"
    " JOIN pg_type t ON t.oid = atttypid WHERE attrelid = to_regclass(:table) AND attname = :column"
)
# What a row of one column alone can break: CHECKs, foreign keys and unique indexes.
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
    """Whether every row that leaves the column of the effect to the new default is taken.

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
    """What two rows get, as text.

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
