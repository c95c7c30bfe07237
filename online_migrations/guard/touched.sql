-- What this transaction has touched: what it has dropped has left a lock, what it has made or changed has rows in the
-- catalogs whose transaction is in progress, also if it is a subtransaction's. No other session's such row is visible.
-- GRANT on a column is not seen, and takes nothing; a REVOKE of one is asked for the columns that have a list of their own.
WITH own AS (
  SELECT pg_current_xact_id_if_assigned() AS id
),
changed AS (
  SELECT catalog, oid, sub FROM own, LATERAL (
    SELECT 'pg_class'::regclass AS catalog, oid, 0::oid AS sub, xmin AS by FROM pg_class
    UNION ALL SELECT 'pg_proc'::regclass, oid, 0, xmin FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, 0, xmin FROM pg_type
    UNION ALL SELECT 'pg_type'::regclass, enumtypid, 0, xmin FROM pg_enum
    UNION ALL SELECT 'pg_type'::regclass, contypid, 0, xmin FROM pg_constraint WHERE conrelid = 0
    UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, xmin FROM pg_namespace
    UNION ALL SELECT 'pg_publication'::regclass, oid, 0, xmin FROM pg_publication
    UNION ALL SELECT 'pg_publication'::regclass, pnpubid, 0, xmin FROM pg_publication_namespace
    UNION ALL SELECT 'pg_class'::regclass, prrelid, 0, xmin FROM pg_publication_rel) rows
  WHERE CASE WHEN age(by) <= age(own.id::xid)
    THEN pg_xact_status((own.id::text::bigint + age(own.id::xid) - age(by))::text::xid8) = 'in progress' END
),
locked AS (
  SELECT CASE locktype WHEN 'relation' THEN 'pg_class'::regclass ELSE classid::regclass END AS catalog,
    CASE locktype WHEN 'relation' THEN relation ELSE objid END AS oid
  FROM pg_locks WHERE pid = pg_backend_pid() AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (locktype = 'object' OR locktype = 'relation' AND mode NOT IN ('AccessShareLock', 'RowShareLock'))
),
touched AS (
  SELECT catalog, oid FROM changed UNION SELECT catalog, oid FROM locked
),
relations AS (
  SELECT oid FROM touched WHERE catalog = 'pg_class'::regclass
  UNION SELECT indrelid FROM pg_index WHERE indexrelid IN (SELECT oid FROM touched WHERE catalog = 'pg_class'::regclass)
  -- Tables with a column of a type or domain that changed, and the views of a table: what they show is another thing.
  UNION SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_type'::regclass
    AND refobjid IN (SELECT oid FROM touched WHERE catalog = 'pg_type'::regclass)
  UNION SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid IN (SELECT oid FROM touched WHERE catalog = 'pg_class'::regclass)
)
SELECT ARRAY(SELECT oid::bigint FROM relations WHERE oid >= 16384) AS relations,
  ARRAY(SELECT oid::bigint FROM touched WHERE catalog IN ('pg_proc'::regclass, 'pg_type'::regclass) AND oid >= 16384
    -- The attributes of a composite type belong to a relation of its own.
    UNION ALL SELECT reltype::bigint FROM pg_class WHERE relkind = 'c' AND oid IN (SELECT oid FROM relations)) AS objects,
  ARRAY(SELECT oid::bigint FROM touched WHERE catalog = 'pg_namespace'::regclass) AS schemas,
  EXISTS (SELECT FROM changed WHERE catalog = 'pg_publication'::regclass) AS publications
