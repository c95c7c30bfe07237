"""What belongs to a database and comes with no restore of a dump: its settings, privileges, owner, what it publishes.

It is read as statements, from the live database and from the restored one; those that differ are run in the latter.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app.release.connection import direct_connection, execute_verbatim
from app.release.errors import server_message

# Only of what we own, or own through another role: the rest is the provider's, which has it in each of its databases.
# `columns` is set for the privileges on a column. Of a statement that ends with … only the beginning is known.
_STATEMENTS = text(
    r"""
WITH db AS (SELECT * FROM pg_database WHERE datname = current_database()),
schema AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND pg_has_role(nspowner, 'USAGE')
),
relation AS (
  SELECT c.oid, relowner, relacl,
    CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || format('%I.%I', nspname, relname) AS name
  FROM pg_class c JOIN schema s ON s.oid = relnamespace WHERE pg_has_role(relowner, 'USAGE')
),
thing AS (
  SELECT 1 AS rank, 'DATABASE ' || quote_ident(:name) AS name, '' AS columns, datdba AS owner, datacl AS acl FROM db
  UNION ALL SELECT 2, 'SCHEMA ' || quote_ident(nspname), '', nspowner, nspacl FROM schema
  UNION ALL SELECT 3, name, '', relowner, relacl FROM relation
  UNION ALL SELECT 4, name, format(' (%I)', attname), relowner, attacl
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid WHERE NOT attisdropped
  UNION ALL SELECT 5, format('ROUTINE %I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)), '',
    proowner, proacl FROM pg_proc p JOIN schema s ON s.oid = pronamespace WHERE pg_has_role(proowner, 'USAGE')
  UNION ALL SELECT 5, format('TYPE %I.%I', nspname, typname), '', typowner, typacl FROM pg_type t
    JOIN schema s ON s.oid = typnamespace WHERE typacl IS NOT NULL AND pg_has_role(typowner, 'USAGE')
),
granted AS (
  SELECT thing.*, a.*, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS receiver
  FROM thing, aclexplode(acl) a WHERE grantee <> owner
),
grants AS (
  SELECT rank, name, columns, string_agg(format('; GRANT %s%s ON %s TO %s%s', privilege_type, columns, name, receiver,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '' ORDER BY receiver, privilege_type) AS statements
  FROM granted GROUP BY rank, name, columns
),
default_acl AS (
  SELECT *, pg_get_userbyid(defaclrole) AS role, defaclnamespace <> 0 AS is_of_a_schema,
    CASE defaclnamespace WHEN 0 THEN '' ELSE format('IN SCHEMA %s ', defaclnamespace::regnamespace) END AS place,
    CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
    ELSE 'SCHEMAS' END AS objects
  FROM pg_default_acl
),
setting AS (
  SELECT CASE setrole WHEN 0 THEN format('DATABASE %I', :name)
    ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), :name) END AS whose,
    split_part(line, '=', 1) AS key, substr(line, strpos(line, '=') + 1) AS value
  FROM pg_db_role_setting, unnest(setconfig) line WHERE setdatabase = (SELECT oid FROM db)
)
SELECT statement FROM (
  -- A list of names is kept as it is written (variable_is_guc_list_quote in pg_dump's dumputils.c), other values bare.
  SELECT 0 AS rank, format('ALTER %s SET %I TO %s', whose, key,
    CASE WHEN key IN ('search_path', 'temp_tablespaces', 'session_preload_libraries', 'local_preload_libraries')
    THEN replace(value, '""', '''''') ELSE quote_literal(value) END) AS statement FROM setting
  UNION ALL SELECT rank, format('REVOKE ALL ON %s FROM PUBLIC', name) || coalesce(statements, '')
    FROM thing LEFT JOIN grants USING (rank, name, columns) WHERE acl IS NOT NULL AND columns = ''
  UNION ALL SELECT rank, substr(statements, 3) FROM grants WHERE columns <> ''
  -- Those of all schemas take the place of what PostgreSQL grants to PUBLIC, those of one are added.
  UNION ALL SELECT 6, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE ALL ON %s FROM PUBLIC', role, objects)
    FROM default_acl WHERE NOT is_of_a_schema
  UNION ALL SELECT 7, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %sGRANT %s ON %s TO %s%s', role, place,
    privilege_type, objects, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM default_acl, aclexplode(defaclacl) WHERE grantee <> defaclrole
  UNION ALL SELECT 7, format('ALTER DATABASE %I CONNECTION LIMIT %s', :name, datconnlimit) FROM db
  UNION ALL SELECT 7, format('COMMENT ON DATABASE %I IS %L', :name, shobj_description(oid, 'pg_database')) FROM db
  UNION ALL SELECT 8, format('ALTER DATABASE %I SET TABLESPACE %I …', :name, spcname)
    FROM db JOIN pg_tablespace t ON t.oid = dattablespace
  UNION ALL SELECT 8, format('ALTER %s SET TABLESPACE %I …', name, spcname)
    FROM relation JOIN pg_class c USING (oid) JOIN pg_tablespace t ON t.oid = reltablespace
  UNION ALL SELECT 8, format('CREATE EXTENSION %I …', extname) FROM pg_extension
  UNION ALL SELECT 8, format('CREATE EVENT TRIGGER %I …', evtname) FROM pg_event_trigger
  UNION ALL SELECT 8, format('CREATE PUBLICATION %I …', pubname) FROM pg_publication
  UNION ALL SELECT 8, format('CREATE SUBSCRIPTION %I …', subname)
    FROM pg_subscription WHERE subdbid = (SELECT oid FROM db)
  UNION ALL SELECT 8, format('CREATE_REPLICATION_SLOT %I …', slot_name) FROM pg_replication_slots
    WHERE database = current_database()
  UNION ALL SELECT 9, format('ALTER DATABASE %I OWNER TO %I', :name, pg_get_userbyid(datdba)) FROM db
) all_of_them ORDER BY rank, statement
""".replace("::", r"\:\:")
)


def missing(live: Connection, restored: Connection, name: str) -> list[str]:
    """Return the statements that give the restored database what only the live one has.

    Args:
        name: of the database that they are to name.
    """
    there = set(restored.scalars(_STATEMENTS, {"name": name}))
    return [one for one in live.scalars(_STATEMENTS, {"name": name}) if one not in there]


def carry_over(live: Connection, restored: Engine) -> Iterator[str]:
    """Give the restored database what only the live one has. Yield what stays to be done once they are swapped."""
    own = str(restored.url.database)
    name = live.dialect.identifier_preparer.quote(str(live.engine.url.database))
    with direct_connection(restored.execution_options(isolation_level="AUTOCOMMIT")) as connection:
        for statement in missing(live, connection, own):
            reason = ""
            try:
                if not statement.endswith("…"):
                    execute_verbatim(connection, statement)
                    continue
            except DBAPIError as error:
                reason = f"  -- {server_message(error)}"
            yield statement.replace(own, name) + reason
