"""A word count from end to end: asked for in the web process, counted by the worker, and read."""

import json
import re
from collections.abc import Iterator

import pytest

from tests import logfmt
from tests.databases import Environment, migrated_database
from tests.live.browser import Browser
from tests.live.conftest import PASSWORD, Service, running_service
from tests.pgbouncer import behind_pooler
from tests.waiting import wait_until
from tests.wordcounts.page_server import PageServer, page

pytestmark = pytest.mark.servers

PAGES = {"/moon": page("<title>반달</title><p>The moon, the half moon. 달이 달이".encode())}


@pytest.fixture(scope="module")
def pages() -> Iterator[PageServer]:
    with PageServer(PAGES) as server:
        yield server


@pytest.fixture(scope="module")
def service(
    server_environment: Environment, tmp_path_factory: pytest.TempPathFactory, pages: PageServer
) -> Iterator[Service]:
    """Run the service in the only configuration that may fetch from a page server of this machine."""
    with migrated_database(server_environment) as environment, behind_pooler(environment) as pooled:
        allowed = {**pooled, "TEST_PAGE_SERVERS": f"127.0.0.1:{pages.port}"}
        with running_service(allowed, tmp_path_factory.mktemp("live"), "config.TestingConfig") as service:
            yield service


def counted(browser: Browser, url: str) -> tuple[str, str]:
    """Return the path of the result, and its page once it is counted."""
    asked = browser.post("/wordcounts", url=url)
    assert asked.status == 302, asked.data.decode()
    path = asked.headers["Location"]
    wait_until(lambda: b"data-poll" not in browser.get(path).data, "it is counted")
    return path, browser.get(path).data.decode()


def test_from_the_url_to_the_words_to_deletion(service: Service, pages: PageServer) -> None:
    alice = service.browser()
    assert alice.sign_up("alice", PASSWORD).status == 302
    path, shown = counted(alice, pages.url("/moon"))
    assert re.fullmatch(r"/wordcounts/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", path)
    assert "<bdi>반달</bdi></h2>" in shown
    assert "<bdi>the</bdi>" not in shown
    assert "<bdi>the</bdi>" in alice.get(f"{path}?stop_words=keep").data.decode()

    words = json.loads(alice.get(f"{path}.json?stop_words=keep").data)["words"]
    expected = {"the": 2, "moon": 2, "달이": 2, "half": 1}
    assert {word["word"]: word["count"] for word in words} == expected
    csv = alice.get(f"{path}.csv?stop_words=keep").data
    assert csv.startswith(b"\xef\xbb\xbfrank,word,count,density\r\n1,moon,2,")

    again = alice.post(f"{path}/again").headers["Location"]
    wait_until(lambda: b"data-poll" not in alice.get(again).data, "it is counted again")
    assert alice.get("/wordcounts").data.count("반달".encode()) >= 2
    for result in (path, again):
        assert alice.post(f"{result}/delete").status == 302
        assert alice.get(result).status == 404


def test_the_request_id_reaches_the_job_that_it_deferred(service: Service, pages: PageServer) -> None:
    request_id = "0123456789-count-0123456789"
    browser = Browser(service.url, **{"X-Request-ID": request_id})
    browser.sign_up("traced", PASSWORD)
    counted(browser, pages.url("/moon"))
    [line] = service.logged(request_id, service.worker_log)
    job = logfmt.parse(line)
    assert (job["at"], job["task"], job["outcome"], job["attempt"]) == ("job", "wordcounts.count", "done", "0")
    assert int(job["sql_count"]) >= 3
