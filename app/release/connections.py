"""Connection limits: what the processes of a project need during a deploy, against what the server grants."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from app.release import options
from app.release.errors import ReleaseError
from app.release.options import Processes

RELEASE = 2  # one session migrates, the other watches who is blocked; a release can do without the second
OVERLAP = 2  # during a deploy the processes of the old release and of the new one run side by side

# What counts against each limit. A superuser meets only the server's. reserved_connections came with PostgreSQL 16.
_LIMITS = text(
    "SELECT current_setting('max_connections')::int AS most, rolsuper AS is_superuser, rolconnlimit AS of_role,"
    " current_setting('superuser_reserved_connections')::int"
    "  + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,"
    " (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database"
    " FROM pg_roles WHERE rolname = current_user"
)
# Of a session of another role one may see no more than its database and role; what is none of a client has no database.
_SESSIONS = text(
    "SELECT coalesce(nullif(application_name, ''), 'without a name') AS name,"
    " datname = current_database() AS is_here, usename = current_user AS is_same_role,"
    " coalesce(application_name, '') LIKE :ours AND datname = current_database() AS is_ours, count(*) AS sessions"
    " FROM pg_stat_activity WHERE datname IS NOT NULL AND usesysid IS NOT NULL"
    " AND coalesce(backend_type, 'client backend') = 'client backend'"
    " AND pid <> pg_backend_pid() GROUP BY 1, 2, 3, 4 ORDER BY sessions DESC, name"
)


class Limit(NamedTuple):
    """
    Args:
        what: sets it.
        most: sessions at once.
        others: sessions now that count against it and are not ours.
        ours: those that are.
    """

    what: str
    most: int
    others: int
    ours: int


def survey(connection: Connection, scale: Mapping[str, int], pool: int) -> dict[str, Any]:
    """The arithmetic, as the document that `flask release connections` prints.

    Args:
        scale: how many there are of each kind of process; 1 of one that is not named.
        pool: sessions that a pooler opens to the database at most.
    """
    processes = [(process, scale.get(process.name, 1)) for process in options.current().processes]
    needed = OVERLAP * sum(process.direct * count for process, count in processes) + pool + RELEASE
    limits, sessions = _read(connection)
    pooled = any(process.pooled for process, _ in processes)
    return {
        "ok": not (findings := [finding for limit in limits for finding in _findings(limit, needed)]),
        "processes": [{**process._asdict(), "count": count} for process, count in processes],
        "pool": pool,
        "pool_unknown": pooled and not pool,
        "release": RELEASE,
        "needed": needed,
        "limits": [limit._asdict() for limit in limits],
        "in_use": sessions,
        "findings": findings,
    }


def scale_of(given: tuple[str, ...], known: tuple[Processes, ...]) -> dict[str, int]:
    """{"web": 2} of ("web=2",).

    Raises:
        ReleaseError: not such a pair, no such process, or one that is named twice.
    """
    names = [process.name for process in known]
    scale = {}
    for pair in given:
        name, _, count = pair.partition("=")
        if name in scale or name not in names or not (count.isascii() and count.isdigit() and len(count) <= 4):
            raise ReleaseError(f"Say how many there are of {' and '.join(names)}: flask release connections web=2")
        scale[name] = int(count)
    return scale


def _read(connection: Connection) -> tuple[list[Limit], list[dict[str, Any]]]:
    row = connection.execute(_LIMITS).one()
    sessions = connection.execute(_SESSIONS, {"ours": f"{options.current().name}-%"}).all()
    reserved = 0 if row.is_superuser else row.reserved
    found = [("the server (max_connections, less what it reserves)", row.most - reserved, sessions)]
    if not row.is_superuser and row.of_role >= 0:
        found.append(("the role (CONNECTION LIMIT)", row.of_role, [one for one in sessions if one.is_same_role]))
    if not row.is_superuser and row.of_database >= 0:
        found.append(("the database (CONNECTION LIMIT)", row.of_database, [one for one in sessions if one.is_here]))
    limits = [
        Limit(
            what,
            most,
            others=sum(one.sessions for one in counted if not one.is_ours),
            ours=sum(one.sessions for one in counted if one.is_ours),
        )
        for what, most, counted in found
    ]
    in_use: dict[str, int] = {}
    for one in sessions:
        name = one.name if one.is_ours else f"{one.name} (not ours)"
        in_use[name] = in_use.get(name, 0) + one.sessions
    return limits, [{"name": name, "sessions": number} for name, number in in_use.items()]


def _findings(limit: Limit, needed: int) -> Iterator[str]:
    room = limit.most - limit.others
    if needed > room:
        yield (
            f"A deploy needs {needed} connections, and {limit.what} has {room} for us: lower what is multiplied above,"
            " run fewer processes, end the sessions that are not ours, or take a plan with more."
        )
    if (free := limit.most - limit.others - limit.ours) < RELEASE:
        yield (
            f"{free} of {limit.most} connections that {limit.what} grants are free now, and a release uses {RELEASE}:"
            " stop a process before the next release, such as a worker."
        )
