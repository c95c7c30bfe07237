"""The circuit breaker of the database, and that only web processes have its timeout."""

import psycopg2.extensions
import pytest

from http_server import database_timeout
from http_server.database_timeout import CircuitBreaker


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
