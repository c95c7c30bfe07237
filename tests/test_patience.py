"""Web and worker give up a database that hangs, and the web has a circuit breaker behind that."""

from collections import defaultdict
from contextlib import closing, nullcontext

import psycopg
import pytest
from sqlalchemy import make_url

from app.database import patience
from app.database.connection import Connection
from app.database.patience import CircuitBreaker, DatabaseTimeout
from tests.databases import Environment
from tests.silent_proxy import SilentProxy


@pytest.fixture(autouse=True)
def breakers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have breakers as a process that serves pages has them."""
    monkeypatch.setattr(patience, "breakers", defaultdict(CircuitBreaker))
    monkeypatch.setattr(patience, "_fails_fast", True)


def connect(environment: Environment, database: str | None = None) -> Connection:
    url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql")
    url = url.set(database=database or url.database)
    return Connection.establish(url.render_as_string(hide_password=False), pooler_prepares=False)


def test_after_a_timeout_connecting_fails_at_once_until_a_connection_closes_the_breaker() -> None:
    breaker = CircuitBreaker()
    assert breaker.admits()
    breaker.trip()
    assert not breaker.admits()
    breaker.reset()
    assert [breaker.admits() for _ in range(2)] == [True, True]


def test_after_a_while_one_connection_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0)
    breaker = CircuitBreaker()
    breaker.trip()
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("fails_fast", [True, False])
def test_a_page_fails_at_once_after_a_timeout_and_a_job_waits_for_its_own(
    monkeypatch: pytest.MonkeyPatch, fails_fast: bool
) -> None:
    monkeypatch.setattr(patience, "_fails_fast", fails_fast)
    with pytest.raises(psycopg.errors.ConnectionTimeout), patience.connecting("here"):
        raise psycopg.errors.ConnectionTimeout
    refused = pytest.raises(psycopg.OperationalError, match="a moment ago")
    with refused if fails_fast else nullcontext(), patience.connecting("here"):
        pass
    with patience.connecting("elsewhere"):
        pass


@pytest.mark.parametrize("database", [None, "missing"])
def test_any_answer_to_a_new_connection_closes_the_circuit_again(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, database: str | None
) -> None:
    breaker = CircuitBreaker()
    monkeypatch.setattr(patience, "breakers", defaultdict(lambda: breaker))
    with monkeypatch.context() as now:
        now.setattr(patience, "RETRY_SECONDS", 0)
        breaker.trip()
    with pytest.raises(psycopg.OperationalError, match='"missing" does not exist') if database else nullcontext():
        connect(server_environment, database).close()
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_a_statement_is_waited_for_while_the_server_is_alive_and_for_no_longer(
    server_environment: Environment, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert patience.PATIENCE_SECONDS + patience.PROBE_SECONDS + patience.LOOK_EVERY < 5, "a reader has a 503 by then"
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.05)
    through = proxy.through(server_environment)
    waits, patient, frozen = (connect(through) for _ in range(3))
    waits.execute("SELECT pg_sleep(0.6)")
    with monkeypatch.context() as hurried:
        hurried.setattr(patience, "STATEMENT_SECONDS", 0.2)
        with pytest.raises(DatabaseTimeout):
            patient.execute("SELECT pg_sleep(20)")
    monkeypatch.setattr(patience, "PROBE_SECONDS", 0.05)
    with proxy.stopped(), pytest.raises(DatabaseTimeout):
        frozen.execute("SELECT 1")
    assert (waits.closed, patient.closed, frozen.closed) == (False, True, True)
    waits.close()


@pytest.mark.parametrize("is_pinged", [True, False])
def test_a_ping_is_given_up_sooner_than_a_statement(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, is_pinged: bool
) -> None:
    monkeypatch.setattr(patience, "PING_SECONDS", 0.05)
    with closing(connect(server_environment)) as connection:
        connection.is_pinged = is_pinged
        with pytest.raises(DatabaseTimeout) if is_pinged else nullcontext():
            connection.execute("SELECT pg_sleep(0.6)")
