"""Put a restored database in the place of the live one.

What belongs to a database and comes with no restore of a dump is carried over: its settings, privileges, owner, what it
publishes. It is read as statements, from both databases; those that only the live one has are run in the restored one.
Then both are renamed in one transaction, so that a kill leaves nothing half done.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError

from app.backups.dump_file import NotRestored
from app.release import options
from app.release.connection import direct_connection, execute_verbatim
from app.release.errors import server_message
from app.release.scratch import scratch_database

KEPT = "_replaced_"  # stands between the name and the time, in the name of a database that was live
MOST_BYTES = 63 - len(KEPT) - len("20261125_183000")  # of the name before it; PostgreSQL cuts one at 63 (NAMEDATALEN)
TRIES = 6  # the server waits up to 5 s each time for the sessions to end (CountOtherDBBackends in procarray.c)
BUSY = {"55006", "55P03"}  # SQLSTATE object_in_use, lock_not_available
BESIDE = "Make an empty database in another way, restore with --into and its URL, and set DATABASE_URL to it."

_LIVE = text(
    r"""
SELECT datname AS name, current_user AS role, (rolsuper OR rolcreatedb) AND pg_has_role(datdba, 'USAGE') AS may_rename,
  (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('alembic_version')) AS owner,
  ARRAY(SELECT k.datname::text FROM pg_database k WHERE starts_with(k.datname, :prefix) ORDER BY 1) AS kept
FROM pg_database d, pg_roles WHERE datname = current_database() AND rolname = current_user
""".replace("::", r"\:\:")
)
# What our role cannot end, or what no role may end for it.
_IN_THE_WAY = text(
    "SELECT DISTINCT 'sessions of ' || usename FROM pg_stat_activity"
    " WHERE datname = :name AND NOT pg_has_role(usesysid, 'USAGE')"
    " UNION ALL SELECT 'the prepared transaction ' || gid FROM pg_prepared_xacts WHERE database = :name"
)
_KEPT_NAME = text("SELECT :prefix || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS')")
# New sessions wait from the first RENAME on, which locks the database's name, until they are refused once or let in.
_SWAP = text(
    "SELECT format('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %1$L AND"
    " pg_has_role(usesysid, ''USAGE''); ALTER DATABASE %1$I RENAME TO %3$I; ALTER DATABASE %2$I RENAME TO %1$I',"
    " CAST(:live AS text), CAST(:restored AS text), CAST(:kept AS text))"
)


def inspect(live: Connection) -> Row[Any]:
    """Return the `name` of the live database, and those `kept` of earlier swaps. Raises: NotRestored: it cannot be."""
    name = str(live.scalar(text("SELECT current_database()")))
    found = live.execute(_LIVE, {"prefix": _prefix(name)}).one()
    if not found.may_rename:
        raise NotRestored(
            f"The role {found.role} may not make a database beside {name} and rename both: it has to own {name} and"
            f" have CREATEDB. {BESIDE}"
        )
    if found.owner not in (None, found.role):
        raise NotRestored(
            f"The tables belong to {found.owner}, and would belong to {found.role}: set"
            f" {options.current().url_variable} to a URL of {found.owner}."
        )
    _refuse_what_is_in_the_way(live, name)
    return found


def swap(name: str, restored: str) -> str:
    """Give the restored database the name of the live one. Return the name under which the latter is kept.

    Raises:
        NotRestored: sessions stay in the live database, or come again and again.
    """
    with scratch_database(BESIDE) as third, third.connect() as connection:  # neither of two that are renamed
        kept = str(connection.scalar(_KEPT_NAME, {"prefix": _prefix(name)}))
        statements = str(connection.scalar(_SWAP, {"live": name, "restored": restored, "kept": kept}))
        for _ in range(TRIES):
            try:
                execute_verbatim(connection, statements)
                connection.commit()
                return kept
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) not in BUSY:
                    raise
                reason = " ".join(str(error.orig).split())
                connection.rollback()
        _refuse_what_is_in_the_way(connection, name)
    raise NotRestored(f"{reason} Stop what uses it, and restore again.")


def _prefix(name: str) -> str:
    return name.encode()[:MOST_BYTES].decode(errors="ignore") + KEPT


def _refuse_what_is_in_the_way(connection: Connection, name: str) -> None:
    if found := connection.scalars(_IN_THE_WAY, {"name": name}).all():
        raise NotRestored(
            f"In {name} are {', '.join(found)}, which this role may not end: stop what they belong to, such as the web"
            " and the worker, and restore again."
        )


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
    """Return the statements that give the restored database, by this name, what only the live one has."""
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
