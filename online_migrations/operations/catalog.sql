-- Questions to the system catalogs, and long statements, each after a line with its name. {name} stands for a text from
-- before, or for one that the caller gives. Parameters: table, as SQL, which is found on the search path as DDL does, or
-- an index or a view; the others are bare names.

-- column: a part of others
a.attrelid = CAST(:table AS regclass) AND a.attname = :column AND NOT a.attisdropped

-- nullable: PostgreSQL 18 has NOT NULL … NOT VALID, with attnotnull although old rows may hold NULL
NOT a.attnotnull OR EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid
    AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum] AND NOT c.convalidated)

-- same_type
lower(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar')) =
    replace(lower(:type), 'character varying', 'varchar')

-- has_column
SELECT EXISTS (SELECT FROM pg_attribute a WHERE {column} AND attnum > 0)

-- type_name
SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE {column}

-- is_nullable
SELECT {nullable} FROM pg_attribute a WHERE {column}

-- has_default
SELECT atthasdef OR attidentity <> '' FROM pg_attribute a WHERE {column}

-- is_required: an INSERT that leaves the column out fails
SELECT attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_attribute a WHERE {column}

-- is_computed
SELECT attgenerated <> '' FROM pg_attribute a WHERE {column}

-- has_type
SELECT {same_type} FROM pg_attribute a WHERE {column}

-- has_enum_value
SELECT EXISTS (SELECT FROM pg_enum WHERE enumtypid = CAST(:enum AS regtype) AND enumlabel = :value)

-- columns_named: those of the table that are among the words
SELECT attname::text FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped AND attname = ANY (:words)

-- left_null: those of the columns that are NULL in a row whose writer does not name them
SELECT attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
WHERE attrelid = to_regclass(:table) AND attname = ANY (:columns) AND NOT attisdropped AND NOT attnotnull
    AND NOT atthasdef AND attidentity = '' AND typdefault IS NULL AND NOT {filled_by_trigger}

-- checks_to_validate: while the type is another one, CHECKs that hold for all rows; after it, those that an attempt
-- that was killed left
SELECT conname::text, replace(pg_get_constraintdef(k.oid), ' NOT VALID', '')
FROM pg_constraint k JOIN pg_attribute a ON attrelid = conrelid AND attnum = ANY (conkey)
WHERE {column} AND contype = 'c' AND convalidated <> ({same_type}) ORDER BY conname

-- computed_indexes: which another type of the column rebuilds: with an expression or a condition over it, also those of
-- parts; and all of a partitioned table, for which PostgreSQL keeps none
WITH RECURSIVE related AS (SELECT to_regclass(:table)::oid AS oid
    UNION ALL SELECT inhrelid FROM pg_inherits JOIN related ON inhparent = related.oid)
SELECT DISTINCT indexrelid::regclass::text AS name FROM related JOIN pg_index ON indrelid = related.oid
JOIN pg_class i ON i.oid = indexrelid JOIN pg_attribute a ON a.attrelid = indrelid AND a.attname = :column
WHERE NOT i.relispartition AND (
    i.relkind = 'I' AND a.attnum = ANY (CAST(indkey AS int2[])) OR (indexprs IS NOT NULL OR indpred IS NOT NULL)
    AND EXISTS (SELECT FROM pg_depend WHERE objid = indexrelid AND refobjid = indrelid AND refobjsubid = a.attnum))
ORDER BY 1

-- has_constraint
SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint)

-- is_not_valid: there is such a constraint, which no VALIDATE has looked at yet
SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND conname = :constraint
    AND NOT convalidated)

-- relied_on: kind and columns of a constraint that does more than refuse. A CHECK only refuses, and so does a foreign
-- key that deletes and updates nothing. A key that another index has too stays
SELECT contype::text || ARRAY(SELECT attname::text FROM pg_attribute
    WHERE attrelid = conrelid AND attnum = ANY (conkey)) FROM pg_constraint
WHERE conrelid = to_regclass(:table) AND conname = :constraint AND (
    contype = 'x' OR confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')
    OR contype IN ('p', 'u') AND NOT EXISTS (SELECT FROM pg_index other
        WHERE other.indrelid = conrelid AND other.indexrelid <> conindid
        AND other.indisunique AND other.indisvalid AND other.indpred IS NULL AND other.indexprs IS NULL
        AND ARRAY(SELECT unnest((other.indkey::int2[])[0:other.indnkeyatts - 1]) ORDER BY 1)
            = ARRAY(SELECT unnest(conkey) ORDER BY 1)))

-- unique_index: table and columns of a valid unique index, unless another one keeps the same columns unique
SELECT relname::text || ARRAY(SELECT attname::text FROM pg_attribute
    WHERE attrelid = i.indrelid AND attnum > 0 AND attnum = ANY (key.columns))
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid,
LATERAL (SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS columns) key
WHERE i.indexrelid = to_regclass(:table) AND i.indisunique AND i.indisvalid AND NOT EXISTS (SELECT FROM pg_index other
    WHERE other.indrelid = i.indrelid AND other.indexrelid <> i.indexrelid
    AND other.indisunique AND other.indisvalid AND other.indpred IS NULL AND other.indexprs IS NULL
    AND ARRAY(SELECT unnest((other.indkey::int2[])[0:other.indnkeyatts - 1]) ORDER BY 1)
        = ARRAY(SELECT unnest(key.columns) ORDER BY 1))

-- has_index
SELECT to_regclass(:table) IS NOT NULL

-- has_invalid_index
SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:table) AND NOT (indisvalid AND indisready))

-- is_relation: the name is of one of these kinds, as pg_class.relkind has them: r and p are tables, v is a view
SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:table) AND strpos(:kinds, CAST(relkind AS text)) > 0)

-- is_taken: the name is that of something else than an index of the table
SELECT EXISTS (SELECT FROM pg_class c LEFT JOIN pg_index ON indexrelid = c.oid
    WHERE c.oid = to_regclass(:name) AND indrelid IS DISTINCT FROM to_regclass(:table))

-- is_elsewhere: the search path finds the name in another schema than this
SELECT nspname <> :schema FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass(:table)

-- referred_to: tables that foreign keys of the table refer to: all, or the constraint, or those with the column
SELECT DISTINCT other.relname::text FROM pg_constraint c JOIN pg_class other ON other.oid = confrelid
WHERE conrelid = to_regclass(:table) AND contype = 'f' AND confrelid <> conrelid
    AND pg_table_is_visible(confrelid) AND (CAST(:constraint AS text) IS NULL OR conname = :constraint)
    AND (CAST(:column AS text) IS NULL OR EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = :column))

-- in_the_way: of what PostgreSQL asks to be dropped before it changes the column's type or drops it, or the table. Our
-- own triggers are dropped beforehand
SELECT CASE WHEN f.oid IS NULL THEN replace(pg_describe_object(d.classid, d.objid, d.objsubid), 'rule _RETURN on ', '')
    ELSE (SELECT 'computed column '
    || attname FROM pg_attribute WHERE attrelid = f.adrelid AND attnum = f.adnum) END FROM pg_depend d
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(:table)
    AND CASE WHEN CAST(:column AS text) IS NULL THEN r.ev_class <> d.refobjid ELSE d.refobjsubid = (SELECT attnum
        FROM pg_attribute WHERE attrelid = d.refobjid AND attname = :column) AND (r.oid IS NOT NULL
            OR d.classid = 'pg_policy'::regclass OR g.tgname NOT LIKE 'zz_dual_write%' OR f.adnum <> d.refobjsubid) END
ORDER BY 1

-- estimated_rows: by the server's statistics
SELECT reltuples::bigint FROM pg_class WHERE oid = CAST(:table AS regclass)

-- referring: a foreign key to the table
SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint
WHERE contype = 'f' AND confrelid = to_regclass(:table) ORDER BY 1 LIMIT 1

-- partitions: that hold rows, also those of partitions, with their schemas if these are not that of the whole
SELECT CASE WHEN n.oid <> whole.relnamespace THEN nspname::text END, c.relname::text
FROM pg_class whole, pg_partition_tree(whole.oid) JOIN pg_class c ON c.oid = relid AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE whole.oid = to_regclass(:table) AND relid <> whole.oid
ORDER BY nspname, c.relname

-- partition_keys: what tells in which partition a row is, also of partitions of partitions; an expression as NULL
SELECT DISTINCT attname::text FROM pg_partition_tree(to_regclass(:table)) JOIN pg_partitioned_table ON partrelid = relid
CROSS JOIN LATERAL unnest(CAST(partattrs AS int2[])) key LEFT JOIN pg_attribute ON attrelid = relid AND attnum = key
ORDER BY 1

-- unattached: valid indexes and constraints of a partition that are no part of one of the whole
SELECT relname::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid
WHERE indrelid = to_regclass(:table) AND indisvalid AND NOT relispartition
UNION SELECT conname::text FROM pg_constraint WHERE conrelid = to_regclass(:table) AND convalidated AND conparentid = 0

-- partitioned_table: that has the index, if it is one that consists of those of its partitions
SELECT t.relname::text FROM pg_index JOIN pg_class t ON t.oid = indrelid AND t.relkind = 'p'
WHERE indexrelid = to_regclass(:table)

-- is_related: the table is a part, or has parts
SELECT EXISTS (SELECT FROM pg_inherits WHERE to_regclass(:table) IN (inhrelid, inhparent))

-- related_to: the nearest one of some tables that is a whole or a part of the table by PARTITION OF or INHERITS,
-- directly or not
WITH RECURSIVE whole AS (SELECT inhparent AS oid, 1 AS level FROM pg_inherits WHERE inhrelid = to_regclass(:table)
    UNION ALL SELECT inhparent, level + 1 FROM pg_inherits JOIN whole ON inhrelid = whole.oid),
part AS (SELECT inhrelid AS oid, 1 AS level FROM pg_inherits WHERE inhparent = to_regclass(:table)
    UNION ALL SELECT inhrelid, level + 1 FROM pg_inherits JOIN part ON inhparent = part.oid)
SELECT oid::regclass::text FROM (SELECT * FROM whole UNION ALL SELECT * FROM part) related
WHERE oid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:tables AS text[])) name)) ORDER BY level LIMIT 1

-- is_named: the table has the one name, not the other; NULL: neither name is a table's
SELECT CASE WHEN bool_or(oid = to_regclass(:table)) THEN true
    WHEN bool_or(oid = to_regclass(:renamed)) THEN false END FROM pg_class
WHERE oid IN (to_regclass(:table), to_regclass(:renamed)) AND relkind IN ('r', 'p')

-- lacks_view: only the new name is there; an attempt by hand, or one that was undone halfway, has left no view
SELECT to_regclass(:table) IS NULL
    AND EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:renamed) AND relkind IN ('r', 'p'))

-- is_another: the old name is that of something else than a table, or than a view of all of the renamed table. The bits
-- of pg_relation_is_updatable() are those of INSERT, UPDATE and DELETE
SELECT EXISTS (SELECT FROM pg_class c WHERE oid = to_regclass(:table) AND relkind NOT IN ('r', 'p')
    AND to_regclass(:renamed) IS NOT NULL AND NOT (relkind = 'v' AND pg_relation_is_updatable(oid, false) & 28 = 28
        AND pg_get_viewdef(oid) NOT LIKE '%WHERE%' AND EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d
            ON d.classid = CAST('pg_rewrite' AS regclass) AND d.objid = r.oid
            AND d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid = to_regclass(:renamed)
            WHERE r.ev_class = c.oid)))

-- has_trigger
SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass) AND tgname = :trigger)

-- has_trigger_with: a trigger is enabled whose function has this source
SELECT EXISTS (SELECT FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = CAST(:table AS regclass) AND tgname = :trigger AND tgenabled = 'O' AND prosrc = :source)

-- is_copy: the trigger makes the column of others and gives them nothing back: it assigns to this one alone
SELECT count(DISTINCT assigned[1]) = 1 FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid,
    regexp_matches(prosrc, 'NEW\.([^;]*?) :=', 'g') assigned
WHERE tgrelid = CAST(:table AS regclass) AND tgname = :trigger

-- dual_writes_on: the columns whose dual writes need this one, or write it; without it, they would fail every write. An
-- argument of a trigger ends with a zero byte
SELECT DISTINCT convert_from(substr(tgargs, 1, length(tgargs) - 1), 'UTF8') FROM pg_attribute a JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
JOIN pg_trigger ON d.classid = 'pg_trigger'::regclass AND d.objid = pg_trigger.oid
WHERE {column} AND starts_with(tgname, 'zz_dual_write') ORDER BY 1

-- columns_read: by the temporary view
SELECT DISTINCT attname::text FROM pg_depend JOIN pg_rewrite r ON classid = 'pg_rewrite'::regclass AND objid = r.oid
JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
WHERE ev_class = 'pg_temp.dual_write_expression'::regclass AND refobjid = CAST(:table AS regclass) ORDER BY 1

-- state: of a column that is to change its type; `sequence` is the one that the column owns
SELECT format_type(a.atttypid, a.atttypmod) AS type, NOT ({nullable}) AS not_null,
    pg_get_expr(adbin, adrelid) AS "default", col_description(a.attrelid, a.attnum) AS comment,
    CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END AS identity,
    s.seqrelid::regclass::text AS sequence,
    format('START WITH %s INCREMENT BY %s CACHE %s', seqstart, seqincrement, seqcache)
        || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END AS sequence_options
FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = a.attrelid AND adnum = a.attnum
LEFT JOIN (pg_depend o JOIN pg_sequence s ON s.seqrelid = o.objid AND o.classid = 'pg_class'::regclass)
    ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid AND o.refobjsubid = a.attnum
WHERE {column}

-- indexes: the definition begins after the names, which may hold any word
SELECT c.relname::text AS name, CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX' ELSE 'CREATE INDEX' END AS create,
    CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END AS constraint,
    CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferral,
    substr(pg_get_indexdef(c.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ',
        CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, n.nspname, t.relname))) AS definition
FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u')
WHERE {column} AND i.indisvalid AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))
ORDER BY c.relname

-- checks
SELECT conname::text, pg_get_constraintdef(k.oid) FROM pg_attribute a JOIN pg_constraint k ON conrelid = a.attrelid AND contype = 'c'
    AND a.attnum = ANY (conkey)
WHERE {column} ORDER BY conname

-- foreign_keys: of the column, with the shadow in its place; the rest is what the server writes after the key
SELECT f.conname::text, own.relname::text, other.relname::text,
    format('FOREIGN KEY (%s)', key.of_shadow)
        || replace(substr(pg_get_constraintdef(f.oid), 1 + length(format('FOREIGN KEY (%s)', key.own))), ' NOT VALID', '')
FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND f.conrelid = a.attrelid AND a.attnum = ANY (f.conkey)
    AND f.conparentid = 0
JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own, string_agg(
        quote_ident(CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END), ', ' ORDER BY place) AS of_shadow
    FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.conrelid
) key
WHERE {column} ORDER BY f.conname

-- references: foreign keys to the column, likewise
SELECT f.conname::text, own.relname::text, other.relname::text,
    format('FOREIGN KEY (%s) REFERENCES %s(%s)', key.own, f.confrelid::regclass::text, referred.of_shadow)
        || replace(substr(pg_get_constraintdef(f.oid), 1 + length(
            format('FOREIGN KEY (%s) REFERENCES %s(%s)', key.own, f.confrelid::regclass::text, referred.own))),
            ' NOT VALID', '')
FROM pg_attribute a JOIN pg_constraint f ON f.contype = 'f' AND f.confrelid = a.attrelid AND a.attnum = ANY (f.confkey)
JOIN pg_class own ON own.oid = f.conrelid JOIN pg_class other ON other.oid = f.confrelid,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own
    FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.conrelid
) key,
LATERAL (
    SELECT string_agg(quote_ident(x.attname), ', ' ORDER BY place) AS own, string_agg(
        quote_ident(CASE WHEN x.attnum = a.attnum THEN :shadow ELSE x.attname::text END), ', ' ORDER BY place) AS of_shadow
    FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute x USING (attnum)
    WHERE x.attrelid = f.confrelid
) referred
WHERE {column} ORDER BY f.conname

-- obstacles: indexes, sequences, the default and all constraints but EXCLUDE are carried over; all else would stay
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_attribute a JOIN pg_depend d
    ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
WHERE {column} AND NOT coalesce(c.relkind IN ('i', 'S') OR k.contype <> 'x' OR g.tgname = :own_trigger
    OR (f.adnum = a.attnum AND a.attgenerated = ''), false)
UNION ALL SELECT 'partitioning or inheritance' FROM pg_class WHERE oid = CAST(:table AS regclass)
    AND (relkind <> 'r' OR relhassubclass OR relispartition)
UNION ALL SELECT 'privileges on the column' FROM pg_attribute a WHERE {column} AND a.attacl IS NOT NULL

-- statistics: how much somebody has the server look at the column, and at expressions in its indexes
SELECT format('ALTER %s ALTER COLUMN %s SET STATISTICS %s', one.what, one.place, one.target)
FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid CROSS JOIN LATERAL (
    SELECT format('TABLE %I', t.relname), format('%I', a.attname), a.attstattarget::int
    UNION ALL SELECT format('INDEX %I', c.relname), e.attnum::text, e.attstattarget
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_attribute e ON e.attrelid = c.oid
    WHERE i.indrelid = t.oid) AS one (what, place, target)
WHERE {column} AND one.target >= 0

-- trigger_functions
SELECT DISTINCT format('ALTER FUNCTION %s %s', p.oid::regprocedure,
    CASE provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END)
FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid JOIN pg_language l ON l.oid = prolang AND lanname = 'plpgsql'
WHERE tgrelid = CAST(:table AS regclass) AND NOT tgisinternal ORDER BY 1

-- grant_as_on: let all roles do with the view what they may do with the table and its columns, but the one that owns the
-- view and has them as its owner
DO $$ DECLARE grant_ text; BEGIN FOR grant_ IN
SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, of_column, {view}::regclass,
  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM (SELECT '' AS of_column, coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_class
    WHERE oid = {table}::regclass
  UNION ALL SELECT format(' (%I)', attname), attacl FROM pg_attribute
    WHERE attrelid = {table}::regclass AND attacl IS NOT NULL AND NOT attisdropped) access, aclexplode(acl)
WHERE grantee <> (SELECT relowner FROM pg_class WHERE oid = {view}::regclass)
LOOP EXECUTE grant_; END LOOP; END $$

-- not_in_a_script: in place of change_type_online
DO $guard$ BEGIN RAISE EXCEPTION 'change_type_online carries over what it finds on the column, which no script can; run: flask db upgrade'; END $guard$

-- both_ways: PL/pgSQL that writes the other one of two columns than was written. Where they agree already, nothing is
-- written back
  DECLARE agree boolean;
  BEGIN
  BEGIN agree := (SELECT NEW.{new} IS NOT DISTINCT FROM ({forward}) FROM (SELECT NEW.*) AS {table});
  EXCEPTION WHEN data_exception THEN agree := false; END;
  IF TG_OP = 'INSERT' AND NEW.{new} IS NULL THEN
{to_new}
  ELSIF TG_OP = 'INSERT' OR NEW.{new} IS DISTINCT FROM OLD.{new} THEN
  IF NOT agree THEN
{to_old}
  END IF;
  ELSIF NEW.{old} IS DISTINCT FROM OLD.{old} THEN
{to_new}
  END IF;
  END;

-- dual_write_function: with the search_path of the migration, so that names mean the same in every session
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $dual_write${source}$dual_write$

-- dual_write_trigger: its WHEN, which is always true, names the columns: PostgreSQL refuses to drop one of them
CREATE OR REPLACE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}({of})

-- move_identity: swap a column that has an identity, which belongs to it: the new one goes on where the
-- old one is when nobody inserts
DO $identity$ DECLARE reached record; BEGIN LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT last_value, is_called INTO reached FROM {sequence}; ALTER TABLE {table} ALTER COLUMN {of} DROP IDENTITY; {swap}; ALTER TABLE {table} ALTER COLUMN {of} ADD GENERATED {identity} AS IDENTITY (SEQUENCE NAME {sequence} {options}); PERFORM setval({literal}, reached.last_value, reached.is_called); END $identity$

-- older_snapshot: a session of this database whose transaction sees what was there before another one began
SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND age(backend_xmin) >= age(CAST(:now AS xid)) ORDER BY xact_start LIMIT 1
