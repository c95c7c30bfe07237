"""Queries of pg_catalog: what stands on a column. Parameters: `table`, quoted; `column` and `shadow`, bare names."""

from sqlalchemy import text

from app.release.operations.catalog import IS_NULLABLE

_COLUMN = "a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped"

STATE = text(
    f"SELECT format_type(a.atttypid, a.atttypmod), NOT {IS_NULLABLE}, pg_get_expr(adbin, adrelid),"
    " col_description(a.attrelid, a.attnum),"
    " CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END, s.seqrelid::regclass::text,"
    " format('START WITH %s INCREMENT BY %s CACHE %s', seqstart, seqincrement, seqcache)"
    " || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END"
    " FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = a.attrelid AND adnum = a.attnum"
    " LEFT JOIN (pg_depend o JOIN pg_sequence s ON s.seqrelid = o.objid AND o.classid = 'pg_class'::regclass)"
    " ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum"
    f" WHERE {_COLUMN}"
)

INDEXES = text(
    "SELECT c.relname::text, i.indisunique,"
    " CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END,"
    " CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END"
    " || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,"
    # The definition begins after the names, which may hold any word.
    " substr(pg_get_indexdef(c.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ',"
    " CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, n.nspname, t.relname)))"
    " FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
    " LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')"
    f" WHERE {_COLUMN} AND i.indisvalid AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))"
    " ORDER BY c.relname"
)

CHECKS = text(
    "SELECT conname::text FROM pg_attribute a JOIN pg_constraint ON conrelid = a.attrelid AND contype = 'c'"
    f" AND a.attnum = ANY (conkey) WHERE {_COLUMN} ORDER BY conname"
)


def _list(key: str, relation: str, name: str) -> str:
    """The columns of a key, as pg_get_constraintdef writes them."""
    return (
        f"(SELECT string_agg(quote_ident({name}), ', ' ORDER BY place) FROM unnest({key}) WITH ORDINALITY"
        f" AS k (attnum, place) JOIN pg_attribute x USING (attnum) WHERE x.attrelid = {relation})"
    )


_NAME = "x.attname"
_NAME_OR_SHADOW = "CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END"
_FROM = "'FOREIGN KEY (' || {0} || ')'"
_TO = "' REFERENCES ' || f.confrelid::regclass::text || '(' || {0} || ')'"
_KEY = _FROM.format(_list("f.conkey", "f.conrelid", _NAME))
_KEY_OF_SHADOW = _FROM.format(_list("f.conkey", "f.conrelid", _NAME_OR_SHADOW))
_REFERRED = _TO.format(_list("f.confkey", "f.confrelid", _NAME))
_REFERRED_SHADOW = _TO.format(_list("f.confkey", "f.confrelid", _NAME_OR_SHADOW))


def _foreign_keys(begin: str, shadowed: str, end: str) -> str:
    """The name, the two tables, and the definition in which `shadowed` takes the place of `begin`."""
    return (
        "SELECT f.conname::text, own.relname::text, other.relname::text,"
        f" {shadowed} || replace(substr(pg_get_constraintdef(f.oid), 1 + length({begin})), ' NOT VALID', '')"
        f" FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND {end}"
        " JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid"
        f" WHERE {_COLUMN} ORDER BY f.conname"
    )


FOREIGN_KEYS = text(_foreign_keys(_KEY, _KEY_OF_SHADOW, "f.conrelid = a.attrelid AND a.attnum = ANY (f.conkey)"))
REFERENCES = text(
    _foreign_keys(
        f"{_KEY} || {_REFERRED}",
        f"{_KEY} || {_REFERRED_SHADOW}",
        "f.confrelid = a.attrelid AND a.attnum = ANY (f.confkey)",
    )
)

# Indexes, sequences, the column's default and all constraints but EXCLUDE are carried over. What else depends on the
# column would stay with the old one.
OBSTACLES = text(
    "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_attribute a JOIN pg_depend d"
    " ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    " LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid"
    " LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid"
    " LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid"
    " LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid"
    f" WHERE {_COLUMN} AND NOT coalesce(c.relkind IN ('i', 'S') OR k.contype <> 'x' OR g.tgname = :own_trigger"
    " OR (f.adnum = a.attnum AND a.attgenerated = ''), false)"
    " UNION ALL SELECT 'partitioning or inheritance' FROM pg_class WHERE oid = CAST(:table AS regclass)"
    " AND (relkind <> 'r' OR relhassubclass OR relispartition)"
    " UNION ALL SELECT 'privileges on the column' FROM pg_attribute a"
    f" WHERE {_COLUMN} AND a.attacl IS NOT NULL"
)

TRIGGER_FUNCTIONS = text(
    "SELECT DISTINCT format('ALTER FUNCTION %s %s', p.oid::regprocedure,"
    " CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END)"
    " FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang AND lanname = 'plpgsql'"
    " WHERE tgrelid = CAST(:table AS regclass) AND NOT tgisinternal ORDER BY 1"
)
