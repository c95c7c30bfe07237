"""A database for each test, copied from a template; a test owns it, with all its locks and sessions.

An advisory lock belongs to one database, and pg_locks and pg_stat_activity can be filtered by it, so tests that run at
the same time do not see each other. A copy takes 20 to 40 ms, an upgrade from empty to head 2 s.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import flask_migrate
import psycopg2
from psycopg2.extensions import cursor
from sqlalchemy import URL, make_url

Environment = dict[str, str]

EMPTY = "template0"  # PostgreSQL lets nobody connect to it
MIGRATIONS = Path(__file__).parents[1] / "migrations"
# pytest-timeout interrupts Python, but not a statement that psycopg2 waits for; so the server ends the statement first.
STATEMENT_TIMEOUT = "100s"


@contextmanager
def own_database(environment: Environment, template: str = EMPTY) -> Iterator[Environment]:
    """The environment with a new database and, in the bucket, a prefix that no other test uses.

    Args:
        environment: of the run's servers.
        template: the database that is copied; see `at_revision`.
    """
    name = f"{environment['TEST_RUN']}_{secrets.token_hex(4)}"
    with _server(environment) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        server.execute(f"ALTER DATABASE {name} SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    try:
        prefix = "/".join(part for part in (environment.get("S3_PREFIX"), name) if part)
        yield {**environment, "DATABASE_URL": _url(environment, name), "S3_PREFIX": prefix}
    finally:
        with _server(environment) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # also when a killed process left a session


def migrated_database(environment: Environment) -> AbstractContextManager[Environment]:
    """`own_database`, at head."""
    return own_database(environment, at_revision(environment))


def at_revision(environment: Environment, revision: str = "head") -> str:
    """The name of a template that the migrations built, for `own_database`."""
    return template(environment, f"at_{revision}", lambda own: _upgrade(own, revision))


def template(environment: Environment, name: str, build: Callable[[Environment], None]) -> str:
    """The name of a database to copy; the first worker of the run that needs it builds it, the others wait.

    CREATE DATABASE fails while anybody is connected to the template. So nobody can connect once it is built, which also
    tells that it is complete, and sessions that the builder left open are ended.
    """
    name = f"{environment['TEST_RUN']}_{name}"
    with _server(environment) as server:
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # this session ends with the block
        server.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [name])
        if server.fetchone() == (False,):
            return name
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # a worker was killed while it built
        server.execute(f"CREATE DATABASE {name} TEMPLATE {EMPTY}")
        build({**environment, "DATABASE_URL": _url(environment, name)})
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    return name


def drop_databases_of_run(environment: Environment) -> None:
    """For a server of one's own, on which a killed worker left its databases."""
    with _server(environment) as server:
        server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [environment["TEST_RUN"]])
        for (name,) in server.fetchall():
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def may_create_databases(environment: Environment) -> bool:
    with _server(environment) as server:
        server.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
        return server.fetchone() == (True,)


@contextmanager
def _server(environment: Environment) -> Iterator[cursor]:
    """A session on the database that DATABASE_URL names, in autocommit mode."""
    url = environment["DATABASE_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as opened:
            yield opened


def _url(environment: Environment, database: str) -> str:
    url: URL = make_url(environment["DATABASE_URL"].replace("postgres://", "postgresql://"))
    return url.set(drivername="postgresql+psycopg2", database=database).render_as_string(hide_password=False)


def _upgrade(environment: Environment, revision: str) -> None:
    from app import create_app
    from app.extensions import db
    from config import TestingConfig

    with create_app(TestingConfig(environment)).app_context():
        flask_migrate.upgrade(directory=str(MIGRATIONS), revision=revision)
        db.engine.dispose()
