-- The tables in which `flask release lint` puts rows, and what a row of one has to say.

-- filled
SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'

-- tables: after those that they refer to
SELECT oid::int AS oid, oid::regclass::text AS name FROM ({filled}) filled WHERE relname <> ALL (:tools)
ORDER BY (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = filled.oid AND k.contype = 'f'), oid

-- columns: those of a table that have no default and no number: what a row has to say, and what it may say
SELECT quote_ident(a.attname) AS name, a.attnotnull AS is_required,
  format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type,
  t.typcategory::text AS category, format_type(t.oid, a.atttypmod) AS full_type,
  CASE WHEN a.atttypmod > 4 AND t.typcategory = 'S' THEN a.atttypmod - 4 ELSE 100 END AS length,
  (SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) AS label,
  (SELECT format('(SELECT %I FROM %s ORDER BY 1 OFFSET (n - 1) %% greatest((SELECT count(*) FROM %s), 1) LIMIT 1)',
      r.attname, k.confrelid::regclass, k.confrelid::regclass)
    FROM pg_constraint k JOIN pg_attribute r ON r.attrelid = k.confrelid
      AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
    WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1) AS parent
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.atthasdef AND a.attidentity = ''
ORDER BY a.attnum
