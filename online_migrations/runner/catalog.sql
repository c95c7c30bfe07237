-- A hash of the last change of each row that says how a table, a column, a rule, an index or a type is defined or described:
-- the transaction that wrote it. No statement that only reads or writes rows of a table changes one of these.
WITH spaces AS (
    SELECT oid FROM pg_namespace
    WHERE nspname !~ '^pg_(toast|temp)' AND nspname NOT IN ('pg_catalog', 'information_schema')
), relations AS (
    SELECT oid, xmin FROM pg_class WHERE relnamespace IN (SELECT oid FROM spaces)
), rows (catalog, id, change) AS (
    SELECT 'class', oid::text, xmin FROM relations
    UNION ALL
    SELECT 'attribute', attrelid || '.' || attnum, a.xmin
    FROM pg_attribute a JOIN relations r ON r.oid = attrelid WHERE attnum > 0
    UNION ALL
    SELECT 'default', d.oid::text, d.xmin FROM pg_attrdef d JOIN relations r ON r.oid = adrelid
    UNION ALL
    SELECT 'constraint', oid::text, xmin FROM pg_constraint WHERE connamespace IN (SELECT oid FROM spaces)
    UNION ALL
    SELECT 'index', indexrelid::text, i.xmin FROM pg_index i JOIN relations r ON r.oid = indexrelid
    UNION ALL
    SELECT 'inherits', inhrelid || '.' || inhseqno, i.xmin FROM pg_inherits i JOIN relations r ON r.oid = inhrelid
    UNION ALL
    SELECT 'sequence', seqrelid::text, s.xmin FROM pg_sequence s JOIN relations r ON r.oid = seqrelid
    UNION ALL
    SELECT 'description', objoid || '.' || objsubid, d.xmin
    FROM pg_description d JOIN relations r ON r.oid = objoid WHERE classoid = 'pg_class'::regclass
    UNION ALL
    SELECT 'type', oid::text, xmin FROM pg_type WHERE typnamespace IN (SELECT oid FROM spaces)
    UNION ALL
    SELECT 'label', oid::text, xmin FROM pg_enum
    UNION ALL
    SELECT 'schema', oid::text, xmin FROM pg_namespace WHERE oid IN (SELECT oid FROM spaces)
)
SELECT concat_ws(' ', current_setting('server_version_num'), current_schemas(false), count(*),
    sum(hashtextextended(catalog || id || ' ' || change, 0)))
FROM rows
