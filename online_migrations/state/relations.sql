-- What the system catalog has of the tables of a mapping (:mapped) that are there under their quoted names (:quoted):
-- columns, and the rules that rows are held to. A view, such as one that stands for a renamed table, is followed to the
-- table that holds its rows.
-- 28, as bits of pg_relation_is_updatable(): rows can be added, changed and taken away. 7, as bits of tgtype: called for
-- each row, before it is added. A trigger function is taken to fill a column if it sets it, and not if it only reads it.
SELECT wanted.mapped, (pg_relation_is_updatable(relation.oid, true) & 28) = 28 AS writable,
    (SELECT jsonb_object_agg(coalesce(held.attname, shown.attname), jsonb_build_array(
            format_type(shown.atttypid, shown.atttypmod), coalesce(held.attnotnull, false),
            CASE WHEN held.attidentity <> '' THEN 'identity'
                ELSE coalesce(pg_get_expr(preset.adbin, preset.adrelid), filled.by) END,
            coalesce(held.attgenerated <> '' OR held.attidentity = 'a', false)))
        FROM (SELECT * FROM pg_attribute WHERE attrelid = stored.oid AND attnum > 0 AND NOT attisdropped) held
        FULL JOIN (SELECT * FROM pg_attribute
            WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped) shown
            ON shown.attname = held.attname
        LEFT JOIN pg_attrdef preset ON preset.adrelid = held.attrelid AND preset.adnum = held.attnum
        LEFT JOIN LATERAL (SELECT min(proname || '()') FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE tgrelid = stored.oid AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7
                AND position(held.attname IN prosrc) > 0 AND prosrc ~* replace(
                    '\mNEW\s*\.\s*"?COLUMN"?\s*(:=|=|\[)|\mINTO\M[^;]*\mNEW\s*\.\s*"?COLUMN\M',
                    'COLUMN', regexp_replace(held.attname, '\W', '\\\&', 'g'))) filled (by) ON true
    ) AS columns,
    (SELECT jsonb_agg(jsonb_build_array(rule.definition,
            ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = stored.oid AND attnum = ANY (rule.keys)),
            rule.is_unique))
        FROM (
            SELECT CASE contype WHEN 'f' THEN split_part(pg_get_constraintdef(oid), ' REFERENCES ', 1)
                ELSE replace(pg_get_constraintdef(oid), ' NOT VALID', '') END, conkey, false
            FROM pg_constraint WHERE conrelid = stored.oid AND contype IN ('c', 'f', 'x')
                AND pg_get_constraintdef(oid) NOT LIKE '% NOT ENFORCED'
            UNION ALL
            SELECT 'UNIQUE (' || (
                    SELECT string_agg(pg_get_indexdef(indexrelid, number, false), ', ' ORDER BY number)
                    FROM generate_series(1, indnkeyatts) number) || ')'
                || CASE WHEN indnullsnotdistinct THEN ' NULLS NOT DISTINCT' ELSE '' END
                || coalesce(' WHERE ' || pg_get_expr(indpred, indrelid), ''),
                (indkey::int2[])[0:indnkeyatts - 1] || CASE WHEN indexprs IS NOT NULL THEN ARRAY(
                    SELECT refobjsubid::int2 FROM pg_depend
                    WHERE classid = 'pg_class'::regclass AND objid = indexrelid
                        AND refclassid = 'pg_class'::regclass AND refobjid = indrelid) END, true
            FROM pg_index WHERE indrelid = stored.oid AND indisunique AND indisready
        ) rule (definition, keys, is_unique)
    ) AS rules
FROM unnest(CAST(:mapped AS text[]), CAST(:quoted AS text[])) wanted (mapped, quoted)
JOIN pg_class relation ON relation.oid = to_regclass(wanted.quoted) AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
CROSS JOIN LATERAL (
    SELECT CASE WHEN count(DISTINCT refobjid) = 1 THEN min(refobjid) ELSE relation.oid END AS oid
    FROM pg_rewrite JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
    WHERE relation.relkind = 'v' AND ev_class = relation.oid
        AND refclassid = 'pg_class'::regclass AND refobjid <> relation.oid
) stored
