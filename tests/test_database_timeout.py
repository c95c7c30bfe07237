"""The circuit breaker of the database, and that only what serves has its timeout."""

import socket
from contextlib import nullcontext

import psycopg2
import psycopg2.extensions
import pytest

from app import database_timeout
from app.database_timeout import CircuitBreaker, DatabaseTimeout
from app.web.autocommit import PooledConnection
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


def test_a_process_that_neither_serves_pages_nor_jobs_has_no_timeout() -> None:
    assert psycopg2.extensions.get_wait_callback() is None


@pytest.mark.parametrize(("fails_fast", "waits"), [(True, [True, False]), (False, [True, True])])
def test_a_page_fails_at_once_after_a_timeout_and_a_job_waits_for_its_own(
    monkeypatch: pytest.MonkeyPatch, fails_fast: bool, waits: list[bool]
) -> None:
    monkeypatch.setattr(database_timeout, "CONNECT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database_timeout.install(fails_fast=fails_fast)
        try:
            found = []
            for _ in range(2):
                with pytest.raises(psycopg2.OperationalError) as refused:
                    psycopg2.connect(host="127.0.0.1", port=silent.getsockname()[1], user="u", dbname="d")
                found.append(refused.type is DatabaseTimeout)
            assert found == waits
        finally:
            psycopg2.extensions.set_wait_callback(None)
            database_timeout._breakers.clear()


@pytest.mark.parametrize("reads_only", [True, False])
def test_a_read_in_autocommit_is_given_more_time_than_a_ping(
    server_environment: Environment, monkeypatch: pytest.MonkeyPatch, reads_only: bool
) -> None:
    monkeypatch.setattr(database_timeout, "PING_SECONDS", 0.05)
    url = server_environment["DATABASE_URL"].replace("+psycopg2", "")
    connection = psycopg2.connect(url, connection_factory=PooledConnection)
    connection.autocommit = True
    connection.reads_only = reads_only
    database_timeout.install(fails_fast=True)
    try:
        with connection.cursor() as cursor, nullcontext() if reads_only else pytest.raises(DatabaseTimeout):
            cursor.execute("SELECT pg_sleep(0.2)")
    finally:
        psycopg2.extensions.set_wait_callback(None)
        connection.close()
        database_timeout._breakers.clear()
