-- What holds for the values of the column :column of the table :table. `referred` are queries without their last value.
SELECT format_type(atttypid, atttypmod) AS type, attnotnull OR typnotnull AS required,
    ARRAY(SELECT jsonb_build_array(pg_get_expr(conbin, conrelid), ARRAY(
            SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)))
        FROM pg_constraint WHERE conrelid = a.attrelid AND a.attnum = ANY (conkey) AND contype = 'c'
            AND pg_get_constraintdef(oid) NOT LIKE '% NOT ENFORCED') AS checks,
    ARRAY(SELECT format('%s WHERE %I =', confrelid::regclass, (
            SELECT attname FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1]))
        FROM pg_constraint WHERE conrelid = a.attrelid AND conkey = ARRAY[a.attnum] AND contype = 'f'
            AND pg_get_constraintdef(oid) NOT LIKE '% NOT ENFORCED') AS referred,
    EXISTS (SELECT FROM pg_index WHERE indrelid = a.attrelid AND indkey[0] = a.attnum AND indisunique AND indislive
        AND indnkeyatts = 1 AND indpred IS NULL) AS is_unique
FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
WHERE attrelid = to_regclass(:table) AND attname = :column
