"""A deploy on a server with exactly the connections of a small plan: README's numbers, old and new side by side."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.databases import HEAD, Environment, upgrade
from tests.live.conftest import PASSWORD, running_service
from tests.release.checkout import OwnHistory
from tests.small_server import SmallServer, small_server
from tests.waiting import wait_until

SLOTS = 20
PROCESSES = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "3", "WORKER_THREADS": "1"}
WEB, WORKER = 2 * 3, 1 + 2

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'semicircle'"
ADD_A_TABLE = "op.create_table('added', sa.Column('id', sa.BigInteger, primary_key=True))"


@pytest.fixture
def server(server_environment: Environment) -> Iterator[SmallServer]:
    """Yield a server with one connection more than the plan grants: the superuser's, for a look at what happens."""
    with small_server(SLOTS + 1, reserved=1) as server:
        yield server


def test_a_deploy_fits_into_exactly_twenty_connections(
    server: SmallServer, server_environment: Environment, tmp_path: Path
) -> None:
    """The old processes are so many connections here."""
    environment = {**server_environment, **PROCESSES, "DATABASE_URL": server.url}
    upgrade(environment)
    with ExitStack() as stack:
        for _ in range(WEB + WORKER):
            stack.enter_context(closing(server.connect()))
        new = stack.enter_context(running_service(environment, tmp_path))
        threads = stack.enter_context(ThreadPoolExecutor(50))
        browser = new.browser()
        assert browser.sign_up("haneul", PASSWORD).status == 302
        asked: list[Future[int]] = []

        def every_thread_has_its_connection() -> bool:
            if len(asked) < 45:
                asked.append(threads.submit(lambda: browser.get("/notes").status))
            [(number,)] = server.rows(SESSIONS)
            return bool(number == 2 * (WEB + WORKER))

        with closing(server.connect("postgres")) as holding, holding.cursor() as cursor:
            holding.autocommit = False
            cursor.execute("LOCK TABLE user_sessions IN ACCESS EXCLUSIVE MODE")  # so that each thread has to wait
            wait_until(every_thread_has_its_connection, "all of both deployments are open", within=15)
        history = OwnHistory(tmp_path / "checkout", environment)
        history.write_revision(int(HEAD) + 1, ADD_A_TABLE)
        done = history.flask("db", "upgrade")
        asked.append(threads.submit(lambda: browser.get("/notes").status))
        assert done.returncode == 0, done.stderr
        assert "cannot see who blocks" not in done.stderr  # it had its second connection, the twentieth
        assert {each.result() for each in asked} == {200}
        assert server.rows("SELECT to_regclass('added') IS NOT NULL") == [(True,)]
    for log in tmp_path.glob("*.log"):
        assert "connection slots" not in log.read_text(), log
        assert "too many" not in log.read_text(), log
