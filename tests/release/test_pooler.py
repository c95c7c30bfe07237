"""Migrations through PgBouncer in transaction mode, where locks and settings go to whoever comes next, are refused."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from app.dev import ports, unprivileged
from app.dev.processes import Child, spawn
from tests.databases import Environment
from tests.release.checkout import OwnHistory
from tests.release.migrating import Database

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
SECONDS = 20

# Anybody may come in; to the database all go as its user.
CONFIGURATION = """\
[databases]
{database} = {target}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = {ignored}
"""

MADE = (
    "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname IN ('alembic_version', 'schema_ledger', 'users')"
    " AND relnamespace IN ('public'::regnamespace, current_schema()::regnamespace)"
)

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]


@pytest.fixture(params=["extra_float_digits", "extra_float_digits, options"], ids=["strict", "ignoring options"])
def pooled(request: pytest.FixtureRequest, environment: Environment) -> Iterator[Environment]:
    """The environment with a DATABASE_URL that leads through the pooler.

    A strict one does not take the settings that we send when we connect; the other takes and forgets them.
    """
    direct = make_url(environment["DATABASE_URL"])
    [port] = ports.find_free(1)
    with tempfile.TemporaryDirectory(prefix="semicircle-pgbouncer-") as name:
        pooler = start(Path(name), direct, port, request.param)
        try:
            url = direct.set(host="127.0.0.1", port=port)
            yield {**environment, "DATABASE_URL": url.render_as_string(hide_password=False)}
        finally:
            pooler.stop()


def start(folder: Path, direct: URL, port: int, ignored: str) -> Child:
    configuration, log = folder / "pgbouncer.ini", folder / "log"
    target = f"host={direct.host} port={direct.port or 5432} user={direct.username}"
    if direct.password:
        target += " password='{}'".format(str(direct.password).replace("'", "''"))
    configuration.write_text(CONFIGURATION.format(database=direct.database, target=target, port=port, ignored=ignored))
    for path in (folder, configuration):
        os.chown(path, unprivileged.owner(), -1)  # it refuses to run as root, as PostgreSQL does
    process = spawn([str(PGBOUNCER), str(configuration)], log=log, cwd=folder, **unprivileged.popen_options())
    pooler = Child("PgBouncer", process, log)
    pooler.wait_until(lambda: "process up" in log.read_text(), SECONDS)
    return pooler


def test_a_release_through_a_pooler_is_refused_with_what_to_set_and_makes_nothing(
    pooled: Environment, database: Database, tmp_path: Path
) -> None:
    made = database.scalar(MADE)
    refused = OwnHistory(tmp_path / "checkout", pooled).flask("db", "upgrade")
    assert refused.returncode == 1
    assert "pooler" in refused.stderr
    assert "Set MIGRATION_DATABASE_URL to the database's direct URL" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert database.scalar(MADE) == made


def test_with_a_direct_url_for_migrations_beside_the_pooler_it_succeeds(
    pooled: Environment, environment: Environment, database: Database, tmp_path: Path
) -> None:
    both = {**pooled, "MIGRATION_DATABASE_URL": environment["DATABASE_URL"]}
    done = OwnHistory(tmp_path / "checkout", both).flask("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert database.scalar("SELECT to_regclass('users') IS NOT NULL")
