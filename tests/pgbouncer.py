"""A strict PgBouncer in front of the run's server: transaction mode, no reset, no startup parameter let pass.

So a server session goes to another client after each transaction, as the last one left it, and `options` are refused.
Poolers of platforms are like it or milder: Heroku's connection pooling is PgBouncer in transaction mode.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.databases import Environment
from tools.dev import ports, postgres
from tools.dev.processes import Child, spawn

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
SECONDS = 20
STRICT = "extra_float_digits"

# Anybody may come in; to the server all go as its user.
CONFIGURATION = """\
[databases]
* = {target}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
admin_users = admin
pool_mode = transaction
default_pool_size = {sessions}
server_reset_query =
ignore_startup_parameters = {ignored}
"""

needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")


@contextmanager
def pooler(environment: Environment, sessions: int = 20, ignored: str = STRICT) -> Iterator[Environment]:
    """Yield the environment with a DATABASE_URL through a pooler; MIGRATION_DATABASE_URL is the direct one.

    It opens so many `sessions` to one database: with 1, each client gets what the one before it left behind. It takes
    and forgets the startup parameters `ignored`.
    """
    [port] = ports.find_free(1)
    with tempfile.TemporaryDirectory(prefix="semicircle-pgbouncer-") as name:
        running = _start(Path(name), make_url(environment["DATABASE_URL"]), port, sessions, ignored)
        try:
            yield through(environment, port)
        finally:
            running.stop()


def behind_pooler(environment: Environment) -> AbstractContextManager[Environment]:
    """Do the same; where no PgBouncer is installed, keep the environment as it is."""
    return pooler(environment) if PGBOUNCER else nullcontext(environment)


def through(environment: Environment, port: int) -> Environment:
    direct = environment["DATABASE_URL"]
    pooled = make_url(direct).set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    return {**environment, "DATABASE_URL": pooled, "MIGRATION_DATABASE_URL": direct}


def _start(folder: Path, direct: URL, port: int, sessions: int, ignored: str) -> Child:
    configuration, log = folder / "pgbouncer.ini", folder / "log"
    target = f"host={direct.host} port={direct.port or 5432} user={direct.username}"
    if direct.password:
        target += " password='{}'".format(str(direct.password).replace("'", "''"))
    configuration.write_text(CONFIGURATION.format(target=target, port=port, sessions=sessions, ignored=ignored))
    for path in (folder, configuration):
        os.chown(path, postgres.owner(), -1)  # it refuses to run as root, as PostgreSQL does
    process = spawn([str(PGBOUNCER), str(configuration)], log=log, cwd=folder, **postgres.popen_options())
    running = Child("PgBouncer", process, log)
    running.wait_until(lambda: "process up" in log.read_text(), SECONDS)
    return running
