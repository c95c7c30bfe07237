"""Checks of integer keys and their sequences: behind the highest key, near the end, or counting in another way."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.release.doctor.diagnosis import ERROR, Diagnosis, psql

NEAR_THE_END = 0.9  # of the highest value
END_OF_BIGINT = 2**63 - 1

# Keys with an index that max() reads from its end, so that no table is scanned. Names are quoted by the server.
_KEYS = text(
    'SELECT a.attrelid::regclass::text AS "table", quote_ident(a.attname) AS "column",'
    " format_type(a.atttypid, NULL) AS type, CASE a.atttypid WHEN 'int2'::regtype THEN 32767"
    "  WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END AS end_of_type,"
    " s.seqrelid::regclass::text AS sequence, s.seqmax AS end_of_sequence, s.seqincrement AS increment,"
    " s.seqcycle OR s.seqincrement < 0 AS repeats"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN (pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid) ON d.classid = 'pg_class'::regclass"
    "  AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    "  AND d.deptype IN ('a', 'i')"
    "  AND has_sequence_privilege(s.seqrelid, 'SELECT')"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))"
    " AND a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
    " AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')"
    " AND EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
    "  WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL"
    "  AND m.amname = 'btree' AND (s.seqrelid IS NOT NULL OR i.indisprimary AND i.indnkeyatts = 1))"
    " ORDER BY 1, 2"
)


def keys(connection: Connection, schemas: list[str]) -> Iterator[Diagnosis]:
    """One diagnosis for a key, at most.

    Args:
        schemas: besides those on the search path.
    """
    found = list(connection.execute(_KEYS, {"schemas": schemas}))
    if not found:
        return
    positions = connection.execute(text(" UNION ALL ".join(map(_position, range(len(found)), found)) + " ORDER BY 1"))
    for key, position in zip(found, positions, strict=True):
        yield from _diagnosis(key, position.highest or 0, position.next)


def _position(number: int, key: Row[Any]) -> str:
    """The highest key, and what the sequence gives next; NULL without a sequence."""
    highest = f"(SELECT max({key.column}) FROM {key.table}) AS highest"
    if key.sequence is None:
        return f"SELECT {number} AS number, {highest}, CAST(NULL AS numeric) AS next"
    following = f"CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END AS next"
    return f"SELECT {number} AS number, {highest}, {following} FROM {key.sequence}"


def _diagnosis(key: Row[Any], highest: int, following: int | None) -> Iterator[Diagnosis]:
    where = f"{key.table}.{key.column}"
    if key.repeats:
        how = "begins again at its end (CYCLE)" if key.increment > 0 else f"counts backwards, by {key.increment}"
        what = f"The sequence {key.sequence} of {where} {how}: it gives numbers that rows have already."
        command = psql(f"ALTER SEQUENCE {key.sequence} INCREMENT BY {abs(key.increment)} NO CYCLE", _to_highest(key))
        yield Diagnosis(ERROR, "sequence-repeats", what, command)
        return
    if highest >= NEAR_THE_END * key.end_of_type and key.end_of_type < END_OF_BIGINT:
        what = (
            f"{where} is at {highest:,}, and {key.type} ends at {key.end_of_type:,}. Make it BigInteger in the model."
        )
        yield Diagnosis(ERROR, "key-near-end", what, f'flask db migrate -m "Widen {where}"')
    elif following is None:
        return
    elif following >= NEAR_THE_END * key.end_of_sequence and key.end_of_sequence < key.end_of_type:
        what = f"The sequence {key.sequence} of {where} is at {following:,} and ends at {key.end_of_sequence:,}."
        command = psql(f"ALTER SEQUENCE {key.sequence} AS {key.type} NO MAXVALUE")
        yield Diagnosis(ERROR, "sequence-near-end", what, command)
    elif following >= NEAR_THE_END * key.end_of_type and highest < NEAR_THE_END * key.end_of_type:
        what = f"The sequence {key.sequence} is at {following:,}, near its end; the highest {where} is {highest:,}."
        yield Diagnosis(ERROR, "sequence-near-end", what, psql(_to_highest(key)))
    elif following <= highest:
        what = f"The sequence {key.sequence} gives {following:,}, and {where} is at {highest:,}: inserts fail."
        yield Diagnosis(ERROR, "sequence-behind", what, psql(_to_highest(key)))


def _to_highest(key: Row[Any]) -> str:
    """To 1, as if it had never been used, for a table without rows."""
    sequence = key.sequence.replace("'", "''")
    highest = f"greatest(max({key.column}), 1), max({key.column}) IS NOT NULL"
    return f"SELECT setval('{sequence}', {highest}) FROM {key.table}"
