"""Processes of new code that start before the migration: not one request is answered by code ahead of its schema."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.databases import Environment, at_revision, copied_database, upgrade
from tests.live.conftest import ROOT, Service, address_and_environment, fetch, running
from tests.release.migrating import traffic
from tests.waiting import wait_until

PAGES = ("/", "/sign-in", "/notes", "/nothing")
REVISIONS = sorted(path.name[:4] for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))
NEW_WORKERS = "SELECT count(*) FROM procrastinate_workers"
LIVE = "SELECT code_head FROM schema_releases"


@pytest.fixture
def behind(server_environment: Environment) -> Iterator[Environment]:
    """Yield a database at the revision before the newest."""
    with copied_database(server_environment, at_revision(server_environment, REVISIONS[-2])) as environment:
        yield environment


def status(url: str, path: str) -> int:
    """Return the status of a page, or 0 where nobody answers."""
    try:
        return fetch(url + path, timeout=10).status
    except urllib3.exceptions.HTTPError:
        return 0


def test_new_code_answers_503_until_the_schema_is_there_and_then_serves(behind: Environment, tmp_path: Path) -> None:
    """The Procfile's web and worker start on a database that is not migrated."""
    url, env = address_and_environment(behind, "config.ProductionConfig", "127.0.0.1")
    web_log, worker_log = tmp_path / "web.log", tmp_path / "worker.log"
    with running("worker", env, worker_log), running("web", env, web_log) as web:
        service = Service(url, web, env, web_log)
        wait_until(lambda: status(url, "/healthz") == 200, "the web listens")
        answers: list[tuple[str, int]] = []
        with traffic(1, lambda *_: answers.extend((path, status(url, path)) for path in PAGES)):
            wait_until(lambda: len(answers) > 20, "some were answered")
            assert {code for _, code in answers} == {503}
            assert status(url, "/readyz") == 503
            wait_until(lambda: "the boot gate is closed" in worker_log.read_text(), "the worker waits too")
            assert service.rows(NEW_WORKERS) == [(0,)]
            seen = len(answers)
            upgrade(behind)
            wait_until(lambda: all_pages_are_served(answers[seen:]), "every page is served", within=20)
            assert {code for _, code in answers} == {200, 302, 404, 503}
            wait_until(lambda: service.rows(NEW_WORKERS) == [(1,)], "the worker takes jobs")
            assert service.rows(LIVE) == [(REVISIONS[-1],)]


def all_pages_are_served(answers: list[tuple[str, int]]) -> bool:
    return {path for path, code in answers[-len(PAGES) * 4 :] if code != 503} == set(PAGES)
