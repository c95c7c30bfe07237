"""A connection of what serves: its settings, its name, what it prepares, and what it does where a plan is outdated."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, g
from sqlalchemy import Connection, text
from sqlalchemy.exc import NotSupportedError, OperationalError

from app import tracing
from app.database.connection import SETTINGS
from app.extensions import db
from online_migrations.operations import change_type_online, drop_shadow_contract, widen_text_online
from tests.databases import Environment, migrated_database, run
from tests.online_migrations.migrating import connected, traffic
from tests.web.database_faults import new_site, visit

OFTEN = 7  # more than psycopg sends before it prepares a statement
BASE_NAME = "semicircle-web"
NAME = f"{BASE_NAME} it's 100 %s"
PIECES = ("DROP TABLE IF EXISTS pieces", "CREATE TABLE pieces (id int, title varchar(20))")
OTHER_TYPE = "ALTER TABLE pieces ALTER title TYPE text"
SELECT = "SELECT id, title FROM pieces WHERE id > %(id)s"
INSERT = "INSERT INTO pieces (id, title) VALUES (%(id)s, 'half')"


@pytest.fixture(scope="module")
def migrated_environment(server_environment: Environment) -> Iterator[Environment]:
    with migrated_database(server_environment) as environment:
        yield environment


@pytest.fixture
def pieces(migrated: Flask, migrated_environment: Environment) -> str:
    """Return the URL of the database, which has a table to change."""
    run(migrated_environment["DATABASE_URL"], *PIECES)
    return migrated_environment["DATABASE_URL"]


@pytest.fixture
def span() -> Iterator[None]:
    """Stand in for a request that has an id."""
    tracing.begin(tracing.Span(tracing.WEB, NAME.removeprefix(f"{BASE_NAME} ")))
    yield
    tracing.end()


def reading(app: Flask) -> Connection:
    """Take a connection as a request does that only reads."""
    with app.app_context():
        g.in_autocommit = True
        return db.engine.connect()


def setting(connection: Connection, name: str) -> Any:
    return connection.exec_driver_sql(f"SELECT current_setting('{name}')").scalar_one()


def prepared(connection: Connection, beginning: str) -> int:
    """Return how many statements of this session that begin so the server has prepared."""
    query = text("SELECT count(*) FROM pg_prepared_statements WHERE starts_with(statement, :beginning)")
    found: int = connection.execute(query, {"beginning": beginning}).scalar_one()
    return found


def test_timeouts_and_styles_hold_in_each_transaction_and_in_each_read(migrated: Flask) -> None:
    with db.engine.connect() as writing, reading(migrated) as connection:
        for end in (writing.commit, writing.rollback, connection.commit):
            for taken in (writing, connection):
                assert {name: setting(taken, name).removesuffix(", MDY") for name in SETTINGS} == SETTINGS
            end()


def test_a_read_begins_no_transaction_and_what_writes_does(migrated: Flask) -> None:
    with db.engine.connect() as writing, reading(migrated) as connection:
        now = text("SELECT now()")
        assert writing.scalar(now) == writing.scalar(now)
        assert connection.scalar(now) != connection.scalar(now)


def test_a_session_has_the_name_of_the_request_and_afterwards_its_own(migrated: Flask, span: None) -> None:
    for taken in (db.engine.connect(), reading(migrated)):
        with taken as connection:
            assert [setting(connection, "application_name") for _ in range(2)] == [NAME, NAME]
    tracing.end()
    for taken in (db.engine.connect(), reading(migrated)):
        with taken as connection:
            assert setting(connection, "application_name") == BASE_NAME


def test_what_runs_in_no_transaction_is_sent_alone(migrated: Flask, span: None) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM users")
        assert setting(connection, "application_name") == BASE_NAME


def test_a_server_side_cursor_and_many_rows_may_be_the_first(pieces: str) -> None:
    with db.engine.connect() as connection:
        numbers = text("SELECT generate_series(1, 3) AS number")
        found = connection.execute(numbers, execution_options={"yield_per": 2})
        assert found.scalars().all() == [1, 2, 3]
        connection.rollback()
        connection.exec_driver_sql(INSERT, [{"id": 1}, {"id": 2}])
        connection.commit()
        assert connection.execute(text("SELECT count(*), '100 %' FROM pieces")).one() == (2, "100 %")


def test_a_session_that_has_ended_is_lost_at_begin_as_at_any_statement(pieces: str) -> None:
    with db.engine.connect() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.commit()
        run(pieces, f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(OperationalError) as lost:
            connection.execute(text("SELECT 1"))
    assert lost.value.connection_invalidated


def test_one_statement_is_prepared_for_ids_of_any_size(pieces: str, migrated: Flask) -> None:
    with reading(migrated) as connection:
        for number in (1, 2**20, 2**40) * OFTEN:
            connection.exec_driver_sql(SELECT, {"id": number})
        assert prepared(connection, "SELECT id, title FROM pieces") == 1


def test_a_rollback_keeps_what_is_prepared(pieces: str) -> None:
    with db.engine.connect() as connection:
        for _ in range(OFTEN):
            connection.exec_driver_sql(SELECT, {"id": 1})
            connection.rollback()
        assert prepared(connection, "SELECT id, title FROM pieces") == 1


@pytest.mark.parametrize("is_alone", [True, False], ids=["a read", "the first of a transaction"])
def test_a_plan_that_would_return_other_columns_is_made_anew_and_nobody_sees_it(
    pieces: str, migrated: Flask, is_alone: bool
) -> None:
    run(pieces, "INSERT INTO pieces VALUES (7, 'half')")
    with reading(migrated) if is_alone else db.engine.connect() as connection:
        for change in (OTHER_TYPE, "ALTER TABLE pieces ALTER id TYPE bigint", OTHER_TYPE):
            for _ in range(OFTEN):
                assert connection.exec_driver_sql(SELECT, {"id": 1}).all() == [(7, "half")]
                connection.commit()
            run(pieces, change)
        assert connection.exec_driver_sql(SELECT, {"id": 1}).all() == [(7, "half")]
        connection.exec_driver_sql(INSERT, {"id": 8})  # goes on in the same transaction
        connection.rollback()
        assert connection.exec_driver_sql("SELECT count(*) FROM pieces").scalar_one() == 1 + is_alone
        outdated = connection.connection.driver_connection
    with db.engine.connect() as connection:
        assert connection.connection.driver_connection is not outdated


def test_a_later_statement_of_a_transaction_has_no_plan_that_could_be_outdated(pieces: str) -> None:
    """The transaction would be lost. One that returns no rows is safe, and prepared."""
    returning = f"{INSERT} RETURNING title"
    with db.engine.connect() as connection:
        for _ in range(OFTEN):
            connection.exec_driver_sql("SELECT 1")
            connection.exec_driver_sql(SELECT, {"id": 1})
            connection.exec_driver_sql(returning, {"id": 1})
            connection.exec_driver_sql(INSERT, {"id": 1})
            connection.commit()
        assert [prepared(connection, beginning) for beginning in ("SELECT 1", "SELECT id", "INSERT")] == [1, 0, 1]
        connection.commit()
        run(pieces, OTHER_TYPE)
        connection.exec_driver_sql("SELECT 1")
        connection.exec_driver_sql(INSERT, {"id": 2})
        assert connection.exec_driver_sql(returning, {"id": 2}).all() == [("half",)]


def test_what_the_server_does_not_support_is_refused_once_more_and_told(migrated: Flask) -> None:
    with reading(migrated) as connection, pytest.raises(NotSupportedError, match="cross-database"):
        connection.exec_driver_sql("SELECT * FROM elsewhere.public.users")
    with db.engine.connect() as writing, pytest.raises(NotSupportedError, match="cross-database"):
        writing.exec_driver_sql("SELECT * FROM elsewhere.public.users")


def test_no_request_sees_that_columns_which_pages_read_get_other_types(migrated_environment: Environment) -> None:
    """Their statements are prepared by then. The swap of an expand, a longer text and a contract outdate the plans."""
    site = new_site(migrated_environment)
    browsers = [site.browser() for _ in range(2)]

    def visit_pages(visitor: int, _turn: int) -> None:
        browser, token = browsers[visitor]
        for method, path in (("GET", "/notes"), ("GET", "/mypage"), ("POST", "/notes")):
            assert visit(browser, token, method, path).status_code in (200, 302, 429), (method, path)

    for visitor in (0, 1) * OFTEN:
        visit_pages(visitor, 0)
    with connected(migrated_environment) as database, traffic(2, visit_pages, least=1):
        database.migrate(lambda: change_type_online("notes", "version", "BIGINT"))
        database.migrate(lambda: widen_text_online("users", "image_url", "VARCHAR(9999)"))
        database.migrate(lambda: drop_shadow_contract("notes", "version"))
