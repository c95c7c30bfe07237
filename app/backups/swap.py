"""Swap a restored database with the live one: two renames in one transaction, so that a kill leaves none half done."""

from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from app.backups.dump_file import NotRestored
from app.release import options
from app.release.connection import execute_verbatim
from app.release.scratch import scratch_database

KEPT = "_replaced_"  # stands between the name and the time, in the name of a database that was live
MOST_BYTES = (
    63 - len(KEPT) - len("20261125_183000")
)  # of the name before it; PostgreSQL cuts a name at 63 (NAMEDATALEN)
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
    """Return the `name` of the live database, and the databases that are `kept` of earlier swaps.

    Raises:
        NotRestored: it cannot be swapped.
    """
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
