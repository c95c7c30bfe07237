"""A database that hangs: answers are 503 after seconds, the process stays alive, and all is well when it goes on."""

import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import urllib3

from app.dev import ports, postgres
from tests.databases import Environment, upgrade
from tests.live.conftest import PASSWORD, Service, connect, running_web
from tests.live.test_server import wait_until_blocked_by
from tests.waiting import wait_until

READERS = 12  # more than threads
# Seconds; the service promises five. A statement that nobody gives up takes 21.
WITHIN = 15


@dataclass
class Site:
    service: Service
    server: psutil.Process

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the postmaster first, so that it starts nobody while the others are stopped."""
        self.server.suspend()
        processes = self.server.children(recursive=True)
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in (*processes, self.server):
                process.resume()


@pytest.fixture(scope="module")
def site(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a site with a PostgreSQL of its own, since the run's server serves other tests."""
    # PostgreSQL does not run as root, and pytest closes its folders to other users.
    with tempfile.TemporaryDirectory(prefix="semicircle-tests-", ignore_cleanup_errors=True) as folder:
        [port] = ports.find_free(1)
        server = postgres.start(Path(folder) / "postgres", port, durable=False)
        environment = {**server_environment, "DATABASE_URL": postgres.url(port)}
        try:
            upgrade(environment)
            with running_web(environment, tmp_path_factory.mktemp("frozen")) as service:
                yield Site(service, psutil.Process(server.process.pid))
        finally:
            server.stop()


def test_with_a_frozen_database_answers_are_503_and_the_process_is_alive(site: Site) -> None:
    browsers = [site.service.browser() for _ in range(READERS)]
    with ThreadPoolExecutor(READERS) as threads, site.frozen():
        sent = [threads.submit(browser.post, "/sign-in", email="a@b.kr", password=PASSWORD) for browser in browsers]
        alive = urllib3.request("GET", f"{site.service.url}/healthz", timeout=WITHIN, retries=False)
        assert alive.status == 200
        for answer in (each.result(timeout=WITHIN) for each in sent):
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
    wait_until(lambda: site.service.browser().sign_up("thawed", PASSWORD).status == 302, "the service is well again")


def test_a_statement_that_the_database_was_frozen_in_is_given_up(site: Site) -> None:
    browser = site.service.browser()
    # A name for each try: the first may be answered by the process that has not noticed yet that the database is back.
    wait_until(lambda: browser.sign_up(f"waiting-{secrets.token_hex(4)}", PASSWORD).status == 302, "it is well")
    with ThreadPoolExecutor(1) as threads, connect(site.service.environment) as blocker:
        blocker.cursor().execute("SELECT 1 FROM users FOR UPDATE")
        answer = threads.submit(browser.post, "/mypage/nickname", nickname="changed")
        wait_until_blocked_by(site.service, blocker.info.backend_pid)
        with site.frozen():
            assert answer.result(timeout=WITHIN).status == 503
        blocker.rollback()
    wait_until(lambda: browser.get("/mypage").status == 200, "the service is well again")
    assert site.service.rows("SELECT count(*) FROM users WHERE nickname = 'changed'") == [(0,)]
