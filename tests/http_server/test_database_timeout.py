"""The circuit breaker of the database, and that only web processes have its timeout."""

from contextlib import nullcontext

import psycopg2.extensions
import pytest

from app.web.autocommit import PooledConnection
from http_server import database_timeout
from http_server.database_timeout import CircuitBreaker, DatabaseTimeout
from tests.databases import Environment


def test_after_a_timeout_connecting_fails_at_once() -> None:
    breaker = CircuitBreaker()
    assert breaker.admits()
    breaker.trip()
    assert not breaker.admits()


def test_after_a_while_one_connection_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_timeout, "RETRY_SECONDS", 0)
    breaker = CircuitBreaker()
    breaker.trip()
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


def test_a_connection_closes_the_breaker() -> None:
    breaker = CircuitBreaker()
    breaker.trip()
    breaker.reset()
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_only_a_web_process_has_the_timeout() -> None:
    assert psycopg2.extensions.get_wait_callback() is None


@pytest.mark.parametrize("reads_only", [True, False])
def test_a_read_in_autocommit_is_given_more_time_than_a_ping(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, reads_only: bool
) -> None:
    monkeypatch.setattr(database_timeout, "PING_SECONDS", 0.05)
    url = server_environment["DATABASE_URL"].replace("+psycopg2", "")
    connection = psycopg2.connect(url, connection_factory=PooledConnection)
    connection.autocommit = True
    connection.reads_only = reads_only
    database_timeout.install()
    try:
        with connection.cursor() as cursor, nullcontext() if reads_only else pytest.raises(DatabaseTimeout):
            cursor.execute("SELECT pg_sleep(0.2)")
    finally:
        psycopg2.extensions.set_wait_callback(None)
        connection.close()
        database_timeout._breakers.clear()
