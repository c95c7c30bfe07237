"""Databases of a test's own: an empty one, or the copy of a template.

An advisory lock belongs to one database, and pg_locks and pg_stat_activity can be filtered by it, so tests that run at
the same time do not see each other. A copy takes 30 ms, and four times as long on a busy machine; an upgrade from empty
to head takes 2 s. So an empty database is emptied after the test and used again, which takes 5 ms.

What this process has opened on one is closed with it, so nobody has to dispose of an engine.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import psycopg2
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection, cursor
from sqlalchemy import URL, event, make_url
from sqlalchemy.pool import Pool

Environment = dict[str, str]

MIGRATIONS = Path(__file__).parents[1] / "migrations"
OUR_HISTORY = ScriptDirectory(str(MIGRATIONS))  # the revisions of this code
[HEAD] = OUR_HISTORY.get_heads()
# pytest-timeout interrupts Python, but not a statement that psycopg2 waits for; so the server ends the statement first.
STATEMENT_TIMEOUT = "100s"


_emptied: list[str] = []  # databases of this process that are free for the next test
_opened: list[connection] = []  # by engines of this process


@event.listens_for(Pool, "connect")
def _remember(opened: connection, _record: object) -> None:
    _opened.append(opened)


@contextmanager
def empty_database(environment: Environment) -> Iterator[Environment]:
    """Yield the environment with a database that holds nothing."""
    name = _emptied.pop() if _emptied else _create(environment)
    yield _environment(environment, name)
    _empty(environment, name)
    _emptied.append(name)


@contextmanager
def copied_database(environment: Environment, template: str, options: str = "") -> Iterator[Environment]:
    """Yield the environment with a copy of a database, such as `at_head` has built."""
    name = _create(environment, template, options)
    try:
        yield _environment(environment, name)
    finally:
        with _server(environment) as server:
            _drop(server, name)


def _environment(environment: Environment, name: str) -> Environment:
    """Add the database, and a prefix in the bucket that no other test uses."""
    own = (environment.get("S3_PREFIX"), f"{name}_{secrets.token_hex(4)}")
    prefix = "/".join(part for part in own if part)
    return {**environment, "DATABASE_URL": _url(environment, name), "S3_PREFIX": prefix}


def migrated_database(environment: Environment) -> AbstractContextManager[Environment]:
    """Give the environment a database at head, without rows."""
    return copied_database(environment, at_head(environment))


def at_head(environment: Environment) -> str:
    """Return the name of a template that the migrations built, for `copied_database`."""
    return template(environment, "at_head", upgrade)


def template(environment: Environment, name: str, build: Callable[[Environment], None], base: str = "template0") -> str:
    """Return the name of a database to copy; the first worker of the run that needs it builds it, the others wait.

    CREATE DATABASE fails while anybody is connected to the template. So nobody can connect once it is built, which also
    tells that it is complete, and sessions that the builder left open are ended.
    """
    name = f"{environment['TEST_RUN']}_{name}"
    with _server(environment) as server:
        server.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # this session ends with the block
        server.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [name])
        if server.fetchone() == (False,):
            return name
        _drop(server, name)  # a worker was killed while it built
        server.execute(f"CREATE DATABASE {name} TEMPLATE {base}")
        if base == "template0":
            _empty(environment, name)
        build({**environment, "DATABASE_URL": _url(environment, name)})
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        _end_sessions(server, name)
    return name


def upgrade(environment: Environment, revision: str = "head") -> None:
    from app import create_app
    from app.extensions import db
    from config import MigrationConfig

    with create_app(MigrationConfig(environment)).app_context():
        flask_migrate.upgrade(directory=str(MIGRATIONS), revision=revision)
        db.engine.dispose()


def drop_databases_of_run(environment: Environment) -> None:
    """Drop what a killed worker left on a server of one's own."""
    with _server(environment) as server:
        server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [environment["TEST_RUN"]])
        for (name,) in server.fetchall():
            _drop(server, name)


def may_create_databases(environment: Environment) -> bool:
    with _server(environment) as server:
        server.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
        return server.fetchone() == (True,)


def _create(environment: Environment, template: str = "template0", options: str = "") -> str:
    """Create a database. template0 is PostgreSQL's own, to which nobody can connect."""
    name = f"{environment['TEST_RUN']}_{secrets.token_hex(4)}"
    with _server(environment) as server:
        server.execute("SHOW fsync")
        # Files are copied for two thirds of the CPU, after a checkpoint, which a server with a disk would wait for.
        strategy = "FILE_COPY" if server.fetchone() == ("off",) else "WAL_LOG"
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy} {options}")
        server.execute(f"ALTER DATABASE {name} SET statement_timeout = '{STATEMENT_TIMEOUT}'")
    if template == "template0":
        _empty(environment, name)
    return name


def _empty(environment: Environment, name: str) -> None:
    """Empty a database, also a new one: its schema would have another owner, which pg_dump shows."""
    with _server({"DATABASE_URL": _url(environment, name)}) as server:
        _end_sessions(server, name)
        server.execute("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'")
        schemas = ", ".join(f'"{schema}"' for (schema,) in server.fetchall())
        server.execute(f"DROP SCHEMA {schemas} CASCADE; CREATE SCHEMA public")


@contextmanager
def _server(environment: Environment) -> Iterator[cursor]:
    """Yield a session on the database that DATABASE_URL names, in autocommit mode."""
    url = environment["DATABASE_URL"].replace("+psycopg2", "")
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as opened:
            yield opened


def run(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each in a transaction of its own, and return the rows of the last one."""
    with _server({"DATABASE_URL": url}) as server:
        for statement in statements:
            server.execute(statement)
        return server.fetchall() if server.description else []


def _drop(server: cursor, name: str) -> None:
    """Drop it, also when a killed process left a session. WITH (FORCE) fails while autovacuum works there."""
    _end_sessions(server, name)
    server.execute(f"DROP DATABASE IF EXISTS {name}")


def _end_sessions(server: cursor, name: str) -> None:
    """End those of our role, but this one. CREATE and DROP DATABASE wait some seconds until they are gone, and end
    autovacuum themselves.
    """
    for own in [*_opened]:
        if own.closed or own.info.dbname == name:
            own.close()
            _opened.remove(own)
    ours = "datname = %s AND usename = current_user AND pid <> pg_backend_pid()"
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}", [name])


def _url(environment: Environment, database: str) -> str:
    url: URL = make_url(environment["DATABASE_URL"].replace("postgres://", "postgresql://"))
    return url.set(drivername="postgresql+psycopg2", database=database).render_as_string(hide_password=False)
