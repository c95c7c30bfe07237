"""Check of integer keys: a sequence behind the highest key, as after a restore or an import, makes inserts fail."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.release.doctor.diagnosis import ERROR, Diagnosis, psql

# Keys with an index that max() reads from its end, so that no table is scanned. Names are quoted by the server.
_KEYS = text(
    'SELECT a.attrelid::regclass::text AS "table", quote_ident(a.attname) AS "column",'
    " s.seqrelid::regclass::text AS sequence, s.seqincrement AS increment"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    "  AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))"
    " AND a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
    " AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') AND has_sequence_privilege(s.seqrelid, 'SELECT')"
    " AND EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
    "  WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL"
    "  AND m.amname = 'btree')"
    " ORDER BY 1, 2"
)


def behind(connection: Connection, schemas: list[str]) -> Iterator[Diagnosis]:
    """Find sequences whose next number is not above the highest key.

    Args:
        schemas: besides those on the search path.
    """
    found = list(connection.execute(_KEYS, {"schemas": schemas}))
    if not found:
        return
    positions = connection.execute(text(" UNION ALL ".join(map(_position, range(len(found)), found)) + " ORDER BY 1"))
    for key, position in zip(found, positions, strict=True):
        if position.highest is not None and position.next <= position.highest:
            where = f"{key.table}.{key.column}"
            what = (
                f"The sequence {key.sequence} gives {position.next:,}, and {where} is at {position.highest:,}: inserts"
                " fail."
            )
            yield Diagnosis(ERROR, "sequence-behind", what, psql(_to_highest(key)))


def _position(number: int, key: Row[Any]) -> str:
    """Write the query for the highest key, and for what the sequence gives next."""
    highest = f"(SELECT max({key.column}) FROM {key.table}) AS highest"
    following = f"CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END AS next"
    return f"SELECT {number} AS number, {highest}, {following} FROM {key.sequence}"


def _to_highest(key: Row[Any]) -> str:
    sequence = key.sequence.replace("'", "''")
    return f"SELECT setval('{sequence}', max({key.column})) FROM {key.table}"
