"""Answer 503 until the database is at least where the code is, and never look again (the boot gate)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE
from threading import Barrier
from types import SimpleNamespace

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from config import TestingConfig
from online_migrations import boot_gate
from online_migrations.state import live
from tests.databases import HEAD, Environment
from tests.online_migrations.migrating import Database, sent_statements

Clock = SimpleNamespace
THREADS = 4
LOOK = "SELECT version_num FROM alembic_version"
BEHIND = "0001"


@pytest.fixture
def environment(migrated_environment: Environment) -> Environment:
    return migrated_environment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stand in for `time`, of which the gate asks monotonic() alone."""
    own = SimpleNamespace(now=1000.0)
    own.monotonic = lambda: own.now
    monkeypatch.setattr(boot_gate, "time", own)
    return own


@pytest.fixture
def starting(environment: Environment, clock: Clock) -> Flask:
    """Return a process of today's code, on a database of the test's own."""
    return create_app(TestingConfig(environment))


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """Collect what is sent to the database, from now on."""
    with sent_statements() as sent:
        yield sent


def looks(sent: list[str]) -> int:
    return sum(statement.startswith(LOOK) for statement in sent)


def is_at(database: Database, revision: str) -> None:
    database.execute(f"UPDATE alembic_version SET version_num = '{revision}'")


def is_ahead(database: Database, phase: str) -> None:
    database.execute(
        "INSERT INTO schema_ledger (revision, down_revisions, phase)"
        f" SELECT '9999', array_agg(version_num::text), '{phase}' FROM alembic_version"
    )
    is_at(database, "9999")


@pytest.mark.smoke
def test_behind_every_page_is_503_but_for_health_checks_and_static_files(starting: Flask, database: Database) -> None:
    is_at(database, BEHIND)
    client = starting.test_client()
    page = client.get("/nothing", headers={"Accept-Language": "ko"})
    assert (page.status_code, int(page.headers["Retry-After"]) > 0) == (503, True)
    assert '<html lang="ko">' in page.text
    assert page.headers["X-Request-ID"]
    answer = client.get("/notes", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert client.post("/sign-up", data={"email": "a@example.com"}).status_code == 503
    assert database.scalar("SELECT count(*) FROM users") == 0
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").get_json()["state"] == "behind"
    static = next(part for part in page.text.split('"') if part.startswith("/static/"))
    with client.get(static) as file:
        assert file.status_code == 200


def test_behind_it_looks_once_a_second_and_once_it_is_open_never_again(
    starting: Flask, database: Database, clock: Clock, sent: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It says once why it is closed, and that it opened."""
    is_at(database, BEHIND)
    client = starting.test_client()
    with caplog.at_level("INFO", logger=boot_gate.__name__):
        for looked in (1, 2):
            for _ in range(3):
                assert client.get("/sign-in").status_code == 503
            assert looks(sent) == looked
            clock.now += boot_gate.LOOK_EVERY
        is_at(database, HEAD)
        assert client.get("/sign-in").status_code == 200
        is_at(database, BEHIND)
        clock.now += 100
        assert client.get("/sign-in").status_code == 200
    assert looks(sent) == 3
    said = [record.getMessage() for record in caplog.records if record.name == boot_gate.__name__]
    assert len(said) == 2
    assert "the database is at 0001 and this code at" in said[0]
    assert said[1] == "the boot gate is open"


def test_the_first_requests_wait_for_the_look_of_the_first(starting: Flask, sent: list[str]) -> None:
    """Serve every request at the head, however many come at once."""
    barrier = Barrier(THREADS)

    def visit(_: int) -> int:
        barrier.wait()
        return starting.test_client().get("/sign-in").status_code

    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(visit, range(THREADS))) == [200] * THREADS
    assert looks(sent) == 1


SERVES = """
import os, sys
from app import create_app
from config import TestingConfig

client = create_app(TestingConfig(os.environ), migrates=False).test_client()
assert [client.get(page).status_code for page in ("/readyz", "/sign-in")] == [200, 200]
print(*{name.partition(".")[0] for name in sys.modules} & {"alembic", "boto3", "psycopg2", "spectree", "webauthn"})
"""


def test_at_head_a_process_serves_without_alembic_and_its_driver(environment: Environment) -> None:
    """Half of what a process has for itself would be theirs."""
    served = subprocess.run([sys.executable, "-c", SERVES], env={**os.environ, **environment}, stdout=PIPE, text=True)
    assert (served.returncode, served.stdout.split()) == (0, [])


@pytest.mark.parametrize(("phase", "noted"), [("expand", 1), ("contract", 0)])
def test_ahead_a_rolled_back_process_serves(starting: Flask, database: Database, phase: str, noted: int) -> None:
    """A contract's rules are not noted as rules of this release, if it was never live here before."""
    is_ahead(database, phase)
    assert starting.test_client().get("/sign-in").status_code == 200
    assert database.scalar("SELECT count(*) FROM schema_releases") == noted


def test_rolled_back_it_says_what_lacks(starting: Flask, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with starting.app_context(), db.engine.connect() as connection:
        live.record_live(connection, db.metadata, HEAD)
    is_ahead(database, "expand")
    database.execute("ALTER TABLE notes DROP content CASCADE")
    assert starting.test_client().get("/sign-in").status_code == 200
    assert "there is no column notes.content" in caplog.text


@pytest.mark.parametrize("change", ["UPDATE alembic_version SET version_num = '9999'", "DROP TABLE alembic_version"])
def test_on_a_database_that_nobody_knows_it_stays_closed(starting: Flask, database: Database, change: str) -> None:
    database.execute(change)
    assert starting.test_client().get("/sign-in").status_code == 503


def test_without_an_answer_of_the_database_it_stays_closed(server_environment: Environment) -> None:
    nowhere = {**server_environment, "DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    client = create_app(TestingConfig(nowhere)).test_client()
    assert client.get("/sign-in").status_code == 503
    assert client.get("/healthz").status_code == 200


IDLE = 3600  # seconds
LIVE_FOR = "SELECT extract(epoch FROM now() - live_at) FROM schema_releases"


def test_a_process_that_idled_is_live_since_it_was_loaded(starting: Flask, database: Database, clock: Clock) -> None:
    """A newer release may have gone live before its first request."""
    clock.now += IDLE
    assert starting.test_client().get("/sign-in").status_code == 200
    assert IDLE <= database.scalar(LIVE_FOR) < 2 * IDLE


def test_a_worker_waits_and_is_live_since_it_may_work(starting: Flask, database: Database, clock: Clock) -> None:
    """It could not serve before, and the previous release may have begun in between."""
    is_at(database, BEHIND)
    clock.now += IDLE
    assert boot_gate.may_work(starting) is False
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0
    is_at(database, HEAD)
    clock.now += boot_gate.LOOK_EVERY
    assert boot_gate.may_work(starting) is True
    assert database.scalar("SELECT array_agg(code_head) FROM schema_releases") == [HEAD]
    assert database.scalar(LIVE_FOR) < IDLE


def test_a_read_only_database_opens_it(starting: Flask, database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Readers see their pages during a failover; that this release is live cannot be noted then."""
    name = database.scalar("SELECT current_database()")
    database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert starting.test_client().get("/sign-in").status_code == 200
    assert "read-only transaction" in caplog.text
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0
