"""Put a restored database in the place of the live one.

What belongs to a database and is in no dump is carried over: its settings, privileges and owner. Of the statements that
make them, those that only the live database has are run in the restored one. Then both are renamed in one transaction,
so that a kill leaves nothing half done.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError

from app.backups import dump_file
from app.backups.dump_file import NotRestored
from app.database.errors import server_message
from online_migrations.scratch import direct_connection, scratch_database

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
# Our role cannot end these, or no role may end them for it.
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
            f"The tables belong to {found.owner}, and would belong to {found.role}: set MIGRATION_DATABASE_URL to a URL"
            f" of {found.owner}."
        )
    _refuse_what_is_in_the_way(live, name)
    return found


def swap(name: str, restored: str) -> str:
    """Give the restored database the name of the live one, and return that which the latter has now.

    Raises: NotRestored: sessions stay in the live database, or come again and again.
    """
    with scratch_database(BESIDE) as third, third.connect() as connection:  # neither of two that are renamed
        kept = str(connection.scalar(_KEPT_NAME, {"prefix": _prefix(name)}))
        statements = str(connection.scalar(_SWAP, {"live": name, "restored": restored, "kept": kept}))
        for _ in range(TRIES):
            try:
                _send(connection, statements)
                connection.commit()
                return kept
            except DBAPIError as error:
                if getattr(error.orig, "pgcode", None) not in BUSY:
                    raise
                reason = " ".join(str(error.orig).split())
                connection.rollback()
        _refuse_what_is_in_the_way(connection, name)
    raise NotRestored(f"{reason} Stop what uses it, and restore again.")


def _send(connection: Connection, sql: str) -> None:
    """Send SQL as it is: in a name, a % stays a %."""
    connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _prefix(name: str) -> str:
    return name.encode()[:MOST_BYTES].decode(errors="ignore") + KEPT


def _refuse_what_is_in_the_way(connection: Connection, name: str) -> None:
    if found := connection.scalars(_IN_THE_WAY, {"name": name}).all():
        raise NotRestored(
            f"In {name} are {', '.join(found)}, which this role may not end: stop what they belong to, such as the web"
            " and the worker, and restore again."
        )


# Other schemas are the provider's, who has them in each database.
_OTHERS = text(
    "SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    " AND NOT pg_has_role(nspowner, 'USAGE')"
)


def missing(live: Connection, restored: Engine) -> list[str]:
    """Return the statements that give the restored database, by its name, what only the live one has.

    pg_dump writes them. Of those that create something, only the first line is known.
    """
    options = [f"--exclude-schema={name}" for name in live.scalars(_OTHERS)]
    there = dump_file.statements(restored.url, options)
    name = re.compile(rf"(?<=DATABASE ){re.escape(_quoted(live.engine))}(?= )")
    own = _quoted(restored)
    found = [name.sub(lambda _: own, one) for one in dump_file.statements(live.engine.url, options)]
    return sorted((one for one in found if one not in there), key=lambda one: " OWNER TO " in one)  # the owner last


def _quoted(engine: Engine) -> str:
    return engine.dialect.identifier_preparer.quote(str(engine.url.database))


def carry_over(live: Connection, restored: Engine) -> Iterator[str]:
    """Give the restored database what only the live one has. Yield what stays to be done once they are swapped."""
    with direct_connection(restored.execution_options(isolation_level="AUTOCOMMIT")) as connection:
        for statement in missing(live, restored):
            left = statement.replace(_quoted(restored), _quoted(live.engine))
            if statement.startswith("CREATE"):
                yield f"{left} …"
                continue
            try:
                _send(connection, statement)
            except DBAPIError as error:
                yield f"{left}  -- {server_message(error)}"
