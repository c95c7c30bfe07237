"""Reads from a real follower: nobody misses what was written for their account, and nothing there costs an error."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO

import psycopg2
import pytest
from flask import g, has_request_context
from sqlalchemy import select, text

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db, read
from app.follower import follower as follower_module
from app.follower.follower import Follower
from app.follower.writes import FOLLOWER
from online_migrations.locks import lock_key
from tests.conftest import PASSWORD, browser_of
from tests.database import watching
from tests.databases import Environment, upgrade
from tests.replica import Pair, replicated
from tests.test_follower_choice import OWN_ROWS_ONLY
from tests.visitor import Visitor
from tests.waiting import wait_until
from tests.web.database_faults import Site, new_site, visit
from tests.web.test_access import endpoints


@dataclass
class Followed:
    site: Site
    pair: Pair
    bob: User
    asked: list[str]  # statements that the follower was sent by requests

    @property
    def follower(self) -> Follower:
        found: Follower = self.site.app.extensions[FOLLOWER]
        return found

    def look(self) -> None:
        with self.site.app.app_context():
            self.follower.look()
        self.asked.clear()

    def catch_up(self) -> None:
        self.pair.wait_until_replayed()
        self.look()

    def device(self, user: User) -> Visitor:
        with self.site.app.app_context():
            return browser_of(self.site.app, user)

    def fresh_device(self) -> Visitor:
        """Return a device of Bob, of whom the follower has everything."""
        browser = self.device(self.bob)
        self.catch_up()
        return browser

    def is_from_follower(self, browser: Visitor, path: str, *, shows: str = "") -> bool:
        self.asked.clear()
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert shows in answer.text, path
        return bool(self.asked)

    @contextmanager
    def at_its_statement(self, do: Callable[..., None]) -> Iterator[None]:
        with watching(do, self.follower.engine):
            yield


@pytest.fixture(scope="module")
def followed(server_environment: Environment) -> Iterator[Followed]:
    with pytest.MonkeyPatch.context() as patch, replicated() as pair:
        for constant in ("LOOK_EVERY", "TRUSTED_FOR"):  # a test looks when it says so
            patch.setattr(follower_module, constant, 3600.0)
        environment = {**server_environment, **pair.urls}
        upgrade(environment)
        site = new_site(environment)
        with site.app.app_context():
            bob = _sign_up("bob")
        followed = Followed(site, pair, bob, [])

        def note(_cursor: object, statement: str, _parameters: object) -> None:
            if has_request_context():  # not of a look
                followed.asked.append(statement)

        with followed.at_its_statement(note):
            yield followed


def _sign_up(name: str) -> User:
    return accounts.sign_up(f"{name}@example.com", name, PASSWORD)


def test_pages_of_ones_own_rows_come_from_it_with_one_statement_to_the_primary(followed: Followed) -> None:
    browser = followed.device(followed.site.alice)
    assert not followed.is_from_follower(browser, "/notes"), "nobody has looked yet"
    followed.catch_up()
    primary: list[str] = []

    with followed.site.app.app_context():
        engine = db.engine
    with watching(lambda _, statement, __: primary.append(statement), engine):
        for name, path in endpoints(followed.site.app, "GET"):
            primary.clear()
            followed.asked.clear()
            visit(browser, "", "GET", path)
            assert bool(followed.asked) == (name in OWN_ROWS_ONLY), name
            if name in OWN_ROWS_ONLY:
                assert [statement.count("JOIN account_writes") for statement in primary] == [1], name


def test_nobody_misses_what_was_written_for_their_account(followed: Followed) -> None:
    """On no device, whoever wrote it. Others are served as before."""
    desk, phone = (followed.device(followed.site.alice) for _ in range(2))
    bob = followed.device(followed.bob)
    followed.catch_up()
    assert all(followed.is_from_follower(browser, "/notes") for browser in (desk, phone, bob))
    followed.pair.pause()
    assert desk.submit("/notes", title="written on the desk", content="").status_code == 302
    followed.look()
    for browser in (desk, phone):
        assert not followed.is_from_follower(browser, "/notes", shows="written on the desk")
    assert followed.is_from_follower(bob, "/notes")
    followed.pair.resume()
    assert not followed.is_from_follower(phone, "/notes"), "nobody has looked since"
    followed.look()
    for browser in (desk, phone):
        assert followed.is_from_follower(browser, "/notes", shows="written on the desk")

    followed.pair.pause()
    carol = followed.site.app.test_client()
    assert isinstance(carol, Visitor)
    with followed.site.app.app_context():
        _sign_up("carol")  # the follower has never heard of her
    carol.sign_in("carol@example.com", PASSWORD)
    followed.look()
    assert not followed.is_from_follower(carol, "/mypage", shows="carol")
    followed.pair.resume()


def test_nobody_misses_what_a_job_has_written(followed: Followed) -> None:
    tasks = pytest.importorskip("app.wordcounts.tasks")  # the one feature whose jobs write for somebody
    alice = followed.site.alice
    phone = followed.device(alice)
    followed.catch_up()
    followed.pair.pause()
    with followed.site.app.app_context():  # as the worker, which is in no request
        insertion = text("INSERT INTO results (user_id, url) VALUES (:id, 'https://example.com/job') RETURNING id")
        result = db.session.execute(insertion, {"id": alice.id}).scalar_one()
        db.session.commit()
        tasks.fail_interrupted(result)
    followed.look()
    assert not followed.is_from_follower(phone, "/wordcounts", shows="example.com/job")
    followed.pair.resume()


def test_an_import_in_a_thread_of_its_own_is_a_write(followed: Followed) -> None:
    browser = followed.device(followed.bob)
    archive = BytesIO(browser.get("/mypage/export").data)
    followed.catch_up()
    before = _mark_of(followed, followed.bob)
    fields = {"csrf_token": browser.csrf_token(), "archive": (archive, "export.zip")}
    assert browser.post("/mypage/import", data=fields).status_code == 302
    assert _mark_of(followed, followed.bob) > before


def _mark_of(followed: Followed, user: User) -> int:
    [(mark,)] = followed.pair.on_primary(f"SELECT transaction_id FROM account_writes WHERE id = {user.id}")
    return int(mark)


def test_a_query_that_replay_cancels_is_read_again_from_the_primary(followed: Followed) -> None:
    """A recovery conflict, 40001: here with the exclusive lock of a contract step."""
    slow_there = select(text("count(*), (CASE WHEN pg_is_in_recovery() THEN pg_sleep(60) END)::text FROM notes"))
    followed.catch_up()

    def ask() -> int:
        with followed.site.app.test_request_context("/notes"):
            g.in_autocommit = True
            g.read_elsewhere = followed.follower.read
            [(count, _)] = read(slow_there, {})
            return int(count)

    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(ask)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        wait_until(lambda: followed.pair.on_follower(waits) == [(1,)], "the follower is at the query")
        followed.pair.on_primary("ALTER TABLE notes ADD COLUMN extra int; ALTER TABLE notes DROP COLUMN extra")
        assert asked.result(30) > 0
    followed.pair.wait_until_replayed()
    assert followed.is_from_follower(followed.fresh_device(), "/notes"), "it is not left out for that"


def test_it_is_left_out_while_a_release_migrates_and_until_it_has_the_schema(followed: Followed) -> None:
    browser = followed.fresh_device()
    key = lock_key("semicircle")
    with closing(psycopg2.connect(followed.pair.urls["DATABASE_URL"])) as release, release.cursor() as cursor:
        release.autocommit = True
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
        followed.look()
        assert not followed.is_from_follower(browser, "/notes")
        followed.pair.pause()
        cursor.execute("INSERT INTO alembic_version VALUES ('contract')")
        cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
        followed.look()
        assert not followed.is_from_follower(browser, "/notes")
        followed.pair.resume()
        followed.look()
        assert followed.is_from_follower(browser, "/notes")
        cursor.execute("DELETE FROM alembic_version WHERE version_num = 'contract'")


def test_stopped_it_costs_no_page_and_started_it_serves(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    browser = followed.fresh_device()
    followed.pair.kill_follower()
    followed.is_from_follower(browser, "/notes")  # it is asked, and the primary answers
    assert not followed.is_from_follower(browser, "/notes")
    followed.look()
    followed.look()
    assert caplog.text.count("the follower is left out") == 2, "once a reason, and not at each look"
    followed.pair.start_follower()
    followed.catch_up()
    assert followed.is_from_follower(browser, "/notes")


def test_promoted_it_is_another_primary_and_left_out(followed: Followed, caplog: pytest.LogCaptureFixture) -> None:
    """The last test: nothing follows any more."""
    browser = followed.fresh_device()
    followed.pair.on_follower("SELECT pg_promote()")
    followed.look()
    assert not followed.is_from_follower(browser, "/notes")
    assert "it was promoted" in caplog.text
