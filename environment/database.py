"""Reading the URL of the database, and the options of its connections."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from environment.values import HIGHEST_PORT, HOST, LOCAL_HOSTS, ConfigError, read

POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2"}
NUMBER = "[0-9]{1,6}"
# The parameters that may follow the ? of the URL, and their values. Another port or service would go past our checks,
# and libpq would print a value that it cannot use.
DATABASE_OPTIONS = {
    "sslmode": "disable|allow|prefer|require|verify-ca|verify-full",
    "sslrootcert": ".+",
    "channel_binding": "disable|prefer|require",
    "gssencmode": "disable|prefer|require",
    "target_session_attrs": "any|read-write|read-only|primary|standby|prefer-standby",
    "host": "/.+|[A-Za-z0-9._-]+",
    "options": ".*",
    "application_name": ".{1,63}",
    "connect_timeout": NUMBER,
    "keepalives": "[01]",
    "keepalives_idle": NUMBER,
    "keepalives_interval": NUMBER,
    "keepalives_count": NUMBER,
    "tcp_user_timeout": NUMBER,
    "client_encoding": "(?i:utf-?8)",
}
# The settings of a new connection stand in the URL, where each of our clients reads them. A role, a database, or
# PGCLIENTENCODING may have another encoding for who names none. PgBouncer keeps it in transaction mode too.
ENCODING = {"client_encoding": "utf8"}
# The kernel ends a connection whose other end has been gone for 30 seconds. One that is idle it asks after 15. What is
# there and says nothing is not found so: app/database/patience.py, app/jobs/connection.py.
LIVENESS = {
    "keepalives_idle": "15",  # seconds
    "keepalives_interval": "5",  # seconds
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}


def other_database_url(env: Mapping[str, str], name: str) -> str | None:
    """Return the URL of a variable that may be left out; None: it is."""
    value = read(env, name)
    return database_url(name, value) if value else None


def database_url(name: str, value: str) -> str:
    """Name the driver psycopg2, ask for TLS when the host is not this machine, and notice a dead peer.

    Heroku sets `postgres://`, which SQLAlchemy refuses, and SQLAlchemy 2.1 reads `postgresql://` as psycopg 3.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number. Either would print the value.
        raise ConfigError(f"{name} has to look like postgres://user:password@host:5432/database.") from None
    _require_usable(name, value, url)
    url = url.set(drivername="postgresql+psycopg2")
    host = url.host or url.query.get("host", "")
    is_local = host in LOCAL_HOSTS or str(host).startswith("/")
    security = {} if is_local else {"sslmode": "require"}
    url = url.set(query={**security, **LIVENESS, **url.query, **ENCODING})
    return url.render_as_string(hide_password=False)


def _require_usable(name: str, value: str, url: URL) -> None:
    """Find what the driver would complain about at the first connection, in words that hold a part of the URL."""
    if url.drivername not in POSTGRES_SCHEMES:
        raise ConfigError(f"{name} has to begin with postgres:// or postgresql://; no other database is supported.")
    if value.count("@") > 1:
        raise ConfigError(f"{name} has more than one @; write an @ of the password as %40.")
    if not url.database or (url.host and not HOST.fullmatch(url.host)):
        raise ConfigError(f"{name} has to look like postgres://user:password@host:5432/database.")
    if url.port is not None and not 1 <= url.port <= HIGHEST_PORT:
        raise ConfigError(f"{name} has a port that is not from 1 to {HIGHEST_PORT}.")
    if any("\0" in part for part in (url.username or "", url.password or "", url.database)):
        raise ConfigError(f"{name} holds %00, which no name and no password can have.")
    _require_usable_options(name, url)


def _require_usable_options(name: str, url: URL) -> None:
    for option, given in url.query.items():
        shape = DATABASE_OPTIONS.get(option)
        if shape is None:
            raise ConfigError(f"{name} has an option after the ? that is none of {', '.join(DATABASE_OPTIONS)}.")
        if not isinstance(given, str) or not given.isprintable() or not re.fullmatch(shape, given):
            raise ConfigError(f"{name} has an option {option} after the ? with a value that it cannot have.")


# psycopg begins no transaction by itself: app/database/engine.py does. Addresses are texts, and hstore is not used.
DRIVER = {"isolation_level": "AUTOCOMMIT", "native_inet_types": False, "use_native_hstore": False}


def served_by_psycopg(url: str) -> str:
    """Return the URL for what serves, which prepares its statements; what migrates stays with psycopg2."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def engine_options(threads: int) -> dict[str, Any]:
    """Make the pool as large as the threads of a process, so that none waits for another; every wait has an end.

    The timeouts of statements and transactions are set by app/database/connection.py: a pooler refuses them here.
    `options` of the URL are sent as they are.
    """
    return {
        **DRIVER,
        "pool_size": threads,
        "max_overflow": 0,
        "pool_timeout": 3,  # seconds
        "pool_pre_ping": True,
        "pool_recycle": 300,  # seconds
        "hide_parameters": True,  # an error in the log must not hold what a person typed
        "connect_args": {
            "connect_timeout": 3,  # seconds
            "application_name": "semicircle-web",
        },
    }


def follower_options(threads: int) -> dict[str, Any]:
    """Allow a connection for each thread, and one to look at the follower. No ping: what fails is read elsewhere.

    No startup options, so that it can be behind a pooler.
    """
    return {
        **DRIVER,
        "pool_size": threads + 1,
        "max_overflow": 0,
        "pool_timeout": 1,  # seconds
        "pool_recycle": 300,  # seconds
        "hide_parameters": True,
        "connect_args": {"connect_timeout": 3, "application_name": "semicircle-web"},
    }
