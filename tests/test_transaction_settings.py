"""Each transaction of ours begins with its settings; what serves has a timeout, and a circuit breaker behind it."""

import socket
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from flask import Flask
from psycopg2 import sql
from sqlalchemy import Connection, text

from app import database_timeout, transaction_settings
from app.database_timeout import CircuitBreaker, DatabaseTimeout
from app.extensions import db
from app.transaction_settings import TIMEOUTS, add_source
from app.web.autocommit import PooledConnection
from tests.databases import STATEMENT_TIMEOUT, Environment, migrated_database
from tests.silent_proxy import SilentProxy

# As the database has them.
OF_SESSION = {"statement_timeout": STATEMENT_TIMEOUT, "idle_in_transaction_session_timeout": "0"}
AS_NUMBERS = "SELECT generate_series(1, 3) AS number"


@pytest.fixture(scope="module")
def migrated_environment(server_environment: Environment) -> Iterator[Environment]:
    """Share one database: no test here writes."""
    with migrated_database(server_environment) as environment:
        yield environment


@pytest.fixture
def connection(migrated: Flask) -> Iterator[Connection]:
    with db.engine.connect() as connection:
        yield connection


@pytest.fixture
def give(migrated: Flask) -> Callable[..., None]:
    """Have every connection from now on begin its transactions with these."""
    return lambda **settings: add_source(migrated, lambda: settings)


def settings(connection: Connection, names: Iterable[str] = TIMEOUTS) -> dict[str, str]:
    return {name: connection.scalar(text(f"SELECT current_setting('{name}')")) or "" for name in names}


def driver_cursor(connection: Connection, *arguments: str) -> Any:
    driver: Any = connection.connection
    return driver.cursor(*arguments)


def shown(cursor: Any) -> str:
    cursor.execute("SHOW statement_timeout")
    [(value,)] = cursor.fetchall()
    return str(value)


def test_they_hold_for_each_transaction_of_a_connection_and_end_with_it(connection: Connection) -> None:
    for end in (connection.commit, connection.rollback):
        assert settings(connection) == TIMEOUTS
        end()
    connection.begin_nested().rollback()  # a savepoint that is the first statement
    assert settings(connection) == TIMEOUTS
    connection.rollback()
    session = connection.execution_options(isolation_level="AUTOCOMMIT")  # to which we send no settings
    assert settings(session) == OF_SESSION
    session.execute(text("VACUUM users"))  # so what runs in no transaction is sent alone


def test_in_autocommit_they_hold_for_each_statement_of_a_request(migrated: Flask) -> None:
    migrated.extensions["boot_gate"].is_open = True
    with migrated.test_request_context("/notes"), db.engine.connect() as reading:
        assert driver_cursor(reading).connection.autocommit
        assert [settings(reading) for _ in range(2)] == [TIMEOUTS, TIMEOUTS]


def test_a_server_side_cursor_many_rows_or_what_is_no_text_may_be_the_first(connection: Connection) -> None:
    streamed = connection.execution_options(yield_per=2).execute(text(AS_NUMBERS))
    assert streamed.scalars().all() == [1, 2, 3]
    assert settings(connection) == TIMEOUTS
    connection.rollback()
    cursor = driver_cursor(connection)
    cursor.executemany("SELECT %s", [(1,), (2,)])
    assert shown(cursor) == "20s"
    connection.rollback()
    for query in (b"SELECT 1", sql.SQL("SELECT 1")):
        cursor = driver_cursor(connection)
        cursor.execute(query)
        assert shown(cursor) == "20s"
        connection.rollback()


def test_a_percent_sign_stays_what_it_is(connection: Connection) -> None:
    assert connection.scalar(text("SELECT '%s' || :more"), {"more": "%"}) == "%s%"
    connection.rollback()
    cursor = driver_cursor(connection)
    cursor.execute("SELECT '100 %'")
    assert cursor.fetchall() == [("100 %",)]


def test_a_source_adds_its_own_and_may_replace_ours(migrated: Flask, give: Callable[..., None]) -> None:
    give(application_name="web 1", statement_timeout="500ms")
    give(application_name="web 2")
    expected = {"application_name": "web 2", "statement_timeout": "500ms", "idle_in_transaction_session_timeout": "20s"}
    with db.engine.connect() as connection:
        assert settings(connection, expected) == expected
        connection.commit()
        session = connection.execution_options(isolation_level="AUTOCOMMIT")
        assert settings(session, ["application_name"]) == {"application_name": "semicircle-web"}


def test_a_source_is_asked_anew_at_each_checkout(migrated: Flask) -> None:
    asked = iter(["web 1", "web 2"])
    add_source(migrated, lambda: {"application_name": next(asked)})
    for expected in ("web 1", "web 2"):
        with db.engine.connect() as connection:
            assert settings(connection, ["application_name"]) == {"application_name": expected}


def test_a_value_that_would_need_quotes_is_refused() -> None:
    for value in ("", "x" * 64, "it's", "100 %", "a\nb", "a\\", "달", "a;b", '"'):
        settings = {"application_name": value}
        with pytest.raises(ValueError, match="application_name has to be") as refused:
            transaction_settings.as_sql([lambda settings=settings: settings])  # type: ignore[misc]
        assert value not in str(refused.value) or not value


def test_after_a_timeout_connecting_fails_at_once_until_a_connection_closes_the_breaker() -> None:
    breaker = CircuitBreaker()
    assert breaker.admits()
    breaker.trip()
    assert not breaker.admits()
    breaker.reset()
    assert [breaker.admits() for _ in range(2)] == [True, True]


def test_after_a_while_one_connection_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_timeout, "RETRY_SECONDS", 0)
    breaker = CircuitBreaker()
    breaker.trip()
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


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


@pytest.fixture
def timeout() -> Iterator[None]:
    """Have psycopg2 wait as in a process that serves pages."""
    database_timeout.install(fails_fast=True)
    yield
    psycopg2.extensions.set_wait_callback(None)
    database_timeout._breakers.clear()


def dsn(environment: Environment) -> str:
    return environment["DATABASE_URL"].replace("+psycopg2", "")


@pytest.mark.parametrize("database", ["postgres", "missing"])
def test_any_answer_to_a_new_connection_closes_the_circuit_again(
    timeout: None, server_environment: Environment, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    breaker = CircuitBreaker()
    monkeypatch.setattr(database_timeout, "_breakers", defaultdict(lambda: breaker))
    with monkeypatch.context() as now:
        now.setattr(database_timeout, "RETRY_SECONDS", 0)
        breaker.trip()
    refused = pytest.raises(psycopg2.OperationalError, match='"missing" does not exist')
    with nullcontext() if database == "postgres" else refused:
        psycopg2.connect(dsn(server_environment), dbname=database).close()
    assert [breaker.admits() for _ in range(3)] == [True, True, True]


def test_a_statement_is_waited_for_while_the_server_is_alive_and_for_no_longer(
    timeout: None, server_environment: Environment, proxy: SilentProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database_timeout.PATIENCE_SECONDS + database_timeout.PROBE_SECONDS < 5, "a reader has a 503 by then"
    monkeypatch.setattr(database_timeout, "PATIENCE_SECONDS", 0.05)
    url = dsn(proxy.through(server_environment))
    waits, patient, frozen = (psycopg2.connect(url) for _ in range(3))
    waits.cursor().execute("SELECT pg_sleep(0.3)")
    with monkeypatch.context() as hurried:
        hurried.setattr(database_timeout, "STATEMENT_SECONDS", 0.2)
        with pytest.raises(DatabaseTimeout, match="a statement"):
            patient.cursor().execute("SELECT pg_sleep(20)")
    monkeypatch.setattr(database_timeout, "PROBE_SECONDS", 0.05)
    with proxy.stopped(), pytest.raises(DatabaseTimeout, match="a statement"):
        frozen.cursor().execute("SELECT 1")
    assert (waits.closed, patient.closed, frozen.closed) == (0, 2, 2)
    waits.close()


@pytest.mark.parametrize("reads_only", [True, False])
def test_a_read_in_autocommit_is_given_more_time_than_a_ping(
    timeout: None, server_environment: Environment, monkeypatch: pytest.MonkeyPatch, reads_only: bool
) -> None:
    monkeypatch.setattr(database_timeout, "PING_SECONDS", 0.05)
    with closing(psycopg2.connect(dsn(server_environment), connection_factory=PooledConnection)) as connection:
        connection.autocommit = True
        connection.reads_only = reads_only
        with connection.cursor() as cursor, nullcontext() if reads_only else pytest.raises(DatabaseTimeout):
            cursor.execute("SELECT pg_sleep(0.2)")
