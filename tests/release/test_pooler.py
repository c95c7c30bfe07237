"""Behind PgBouncer in transaction mode a session's lock and settings belong to whoever comes next: refused."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from app.dev import ports, unprivileged
from app.dev.processes import Child, spawn
from tests.conftest import Environment
from tests.release.checkout import Checkout
from tests.release.sessions import Sessions

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")

CONFIGURATION = """
[databases]
{database} = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
{more}
"""


@pytest.fixture(params=["", "ignore_startup_parameters = options"], ids=["as it comes", "ignoring options"])
def pooled_url(request: pytest.FixtureRequest, environment: Environment, tmp_path: Path) -> Iterator[str]:
    """The test's database behind a real PgBouncer."""
    url = make_url(environment["DATABASE_URL"])
    [port] = ports.find_free(1)
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    (folder / "users").write_text(f'"{url.username}" "{url.password or ""}"\n')
    (folder / "ini").write_text(
        CONFIGURATION.format(
            database=url.database,
            host=url.host,
            port=url.port or 5432,
            own_port=port,
            folder=folder,
            more=request.param,
        )
    )
    unprivileged.open_folders([folder], [])
    log = tmp_path / "pgbouncer.log"
    process = spawn([str(PGBOUNCER), str(folder / "ini")], log=log, cwd=folder, **unprivileged.popen_options())
    child = Child("PgBouncer", process, log)
    pooled = url.set(host="127.0.0.1", port=port)
    plain = pooled.set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    child.wait_until(lambda: answers(plain), 20)
    yield pooled.render_as_string(hide_password=False)
    child.stop()


def answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_a_pooled_url_is_refused_with_the_setting_to_make_and_nothing_is_changed(
    blank: Checkout, sessions: Sessions, pooled_url: str
) -> None:
    blank.write_revision("0001", "op.execute('CREATE TABLE numbers (n int)')")
    direct = blank.environment["DATABASE_URL"]
    blank.environment["DATABASE_URL"] = pooled_url
    ended = blank.flask("db", "upgrade")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: ")
    assert "MIGRATION_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert sessions.contents() == {}
    assert sessions.scalar("SELECT to_regclass('public.numbers') IS NULL")

    blank.environment["MIGRATION_DATABASE_URL"] = direct
    assert blank.flask("db", "upgrade").returncode == 0
    assert sessions.revision() == ["0001"]


def test_the_pooler_does_answer(pooled_url: str) -> None:
    """So it is the refusal that kept the release away, not a pooler that is broken."""
    url = make_url(pooled_url).set(drivername="postgresql", query={}).render_as_string(hide_password=False)
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
    finally:
        connection.close()
