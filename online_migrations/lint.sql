-- The tables in which `flask release lint` puts rows, and what a row of one has to say.

-- tables: after those that they refer to
SELECT c.oid::int AS oid, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relname <> ALL (:tools)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
ORDER BY (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'), c.oid

-- schemas: of the search path, also one that is not there, and of the extensions
SELECT unnest(current_schemas(false))::text UNION SELECT extnamespace::regnamespace::text FROM pg_extension UNION
SELECT btrim(name, ' "') FROM unnest(string_to_array(current_setting('search_path'), ',')) name
WHERE name !~ '[$]user|^ *"?pg_' AND btrim(name, ' "') <> ''
EXCEPT SELECT 'pg_catalog'

-- extensions: of the database, and how to create them
SELECT extname::text AS name, format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I CASCADE', extname, nspname) AS "create"
FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE nspname <> 'pg_catalog' ORDER BY 1

-- columns: those of a table that have no default and no number, with a value for the row n, which counts from 1: of the
-- row that it refers to, of its enum, by its type, or by the category of that (PostgreSQL manual, pg_type.typcategory)
SELECT quote_ident(a.attname) AS name, a.attnotnull AS is_required, coalesce(
  (SELECT format('(SELECT %I FROM %s ORDER BY 1 OFFSET (n - 1) %% greatest((SELECT count(*) FROM %s), 1) LIMIT 1)',
      r.attname, k.confrelid::regclass, k.confrelid::regclass)
    FROM pg_constraint k JOIN pg_attribute r ON r.attrelid = k.confrelid
      AND r.attnum = k.confkey[array_position(k.conkey, a.attnum)]
    WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) LIMIT 1),
  (SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1),
  format('(%s)::%s', CASE format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
      WHEN 'uuid' THEN $$md5(n::text)::uuid$$
      WHEN 'bytea' THEN $$decode(md5(n::text), 'hex')$$
      WHEN 'json' THEN $$'{}'$$
      WHEN 'jsonb' THEN $$'{}'$$
      WHEN 'inet' THEN $$'127.0.0.1'$$
      ELSE CASE t.typcategory
        WHEN 'N' THEN 'n'
        WHEN 'S' THEN format($$left('x' || n, %s)$$, CASE WHEN a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 100 END)
        WHEN 'B' THEN 'n % 2 = 0'
        WHEN 'D' THEN $$now() - n * interval '1 minute'$$
        WHEN 'T' THEN $$n * interval '1 minute'$$
        WHEN 'A' THEN $$'{}'$$
        WHEN 'R' THEN $$'empty'$$
        ELSE 'NULL' END END, format_type(t.oid, a.atttypmod))) AS value
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.atthasdef AND a.attidentity = ''
ORDER BY a.attnum
