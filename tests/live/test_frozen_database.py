"""A database that hangs: answers are 503 after seconds, the process stays alive, and all is well when it goes on."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.databases import Environment, migrated_database
from tests.live.conftest import PASSWORD, Service, connect, fetch, running_web
from tests.live.test_server import wait_until_blocked_by
from tests.silent_proxy import SilentProxy, silent_proxy
from tests.waiting import wait_until

READERS = 12  # more than threads
# Seconds; the service promises five. A statement that nobody gives up takes 21.
WITHIN = 15


@pytest.fixture(scope="module")
def proxy(server_environment: Environment) -> Iterator[SilentProxy]:
    with silent_proxy(server_environment) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(
    server_environment: Environment, proxy: SilentProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("frozen")
    with migrated_database(server_environment) as environment, running_web(proxy.through(environment), folder) as site:
        yield site


def test_with_a_frozen_database_answers_are_503_and_the_process_is_alive(site: Service, proxy: SilentProxy) -> None:
    browsers = [site.browser() for _ in range(READERS)]
    with ThreadPoolExecutor(READERS) as threads, proxy.stopped():
        sent = [threads.submit(browser.post, "/sign-in", email="a@b.kr", password=PASSWORD) for browser in browsers]
        assert fetch(f"{site.url}/healthz", timeout=WITHIN).status == 200
        for answer in (each.result(timeout=WITHIN) for each in sent):
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
    wait_until(lambda: site.browser().sign_up("thawed", PASSWORD).status == 302, "the service is well again")


def test_a_statement_that_the_database_was_frozen_in_is_given_up(site: Service, proxy: SilentProxy) -> None:
    browser = site.browser()
    # A name for each try: the first may be answered by the process that has not noticed yet that the database is back.
    wait_until(lambda: browser.sign_up(f"waiting-{secrets.token_hex(4)}", PASSWORD).status == 302, "it is well")
    with ThreadPoolExecutor(1) as threads, connect(site.environment) as blocker:
        blocker.cursor().execute("SELECT 1 FROM users FOR UPDATE")
        answer = threads.submit(browser.post, "/mypage/nickname", nickname="changed")
        wait_until_blocked_by(site, blocker.info.backend_pid)
        with proxy.stopped():
            assert answer.result(timeout=WITHIN).status == 503
        blocker.rollback()
    wait_until(lambda: browser.get("/mypage").status == 200, "the service is well again")
    assert site.rows("SELECT count(*) FROM users WHERE nickname = 'changed'") == [(0,)]
