"""Questions to PostgreSQL's catalogs, each a boolean in SQL. Names are looked up on the search path, as DDL does."""

HAS_COLUMN = (
    "EXISTS (SELECT FROM pg_attribute WHERE attrelid = CAST(:table AS regclass)"
    " AND attname = :column AND attnum > 0 AND NOT attisdropped)"
)

# Not one of a CHECK … NOT VALID's siblings: PostgreSQL 18 says attnotnull while its NOT NULL is not validated.
IS_NULLABLE = (
    "(SELECT NOT a.attnotnull OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid"
    " AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum] AND NOT c.convalidated)"
    " FROM pg_attribute a WHERE a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped)"
)

HAS_ANOTHER_TYPE = (
    "(SELECT upper(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar')) <> upper(:type)"
    " FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)

# The longest text that fits: a VARCHAR's modifier is its length and 4; a TEXT is endless. NULL for any other type.
TEXT_LENGTH = (
    "(SELECT CASE WHEN atttypmod > 4 THEN atttypmod - 4 ELSE 1073741824 END FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped"
    " AND atttypid IN ('varchar'::regtype, 'text'::regtype))"
)

# Whether an INSERT that leaves the column out fails.
MUST_BE_GIVEN = (
    "(SELECT attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute"
    " WHERE attrelid = CAST(:table AS regclass) AND attname = :column AND NOT attisdropped)"
)

HAS_CONSTRAINT = (
    "EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint)"
)
HAS_UNCHECKED_CONSTRAINT = (
    "EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint"
    " AND NOT convalidated)"
)

HAS_INDEX = "to_regclass(:index) IS NOT NULL"
HAS_INVALID_INDEX = (
    "EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:index) AND NOT (indisvalid AND indisready))"
)

HAS_TABLE = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table) AND relkind IN ('r', 'p'))"
HAS_VIEW = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table) AND relkind = 'v')"
