"""/healthz checks the process; /readyz checks the database and its schema."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from app import create_app
from app.extensions import db
from config import TestingConfig
from tests.databases import HEAD
from tests.visitor import Visitor


@pytest.fixture(autouse=True)
def nothing_is_cached(migrated_app: Flask) -> Iterator[None]:
    migrated_app.extensions.pop("schema_state", None)
    yield
    migrated_app.extensions.pop("schema_state", None)


def set_revision(revision: str) -> None:
    db.session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    db.session.commit()


def readiness(client: Visitor) -> tuple[int, str]:
    answer = client.get("/readyz")
    return answer.status_code, answer.get_json()["state"]


def add_ledger_step(revision: str, down_revision: str, phase: str) -> None:
    """Record a step in the schema ledger, as a newer release does, and set the revision."""
    db.session.execute(
        text("INSERT INTO schema_ledger VALUES (:revision, ARRAY[:down], :phase)"),
        {"revision": revision, "down": down_revision, "phase": phase},
    )
    set_revision(revision)


def test_ready_when_the_database_is_ahead_by_expand_steps(client: Visitor) -> None:
    add_ledger_step("9998", HEAD, "expand")
    add_ledger_step("9999", "9998", "expand")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {"state": "ahead", "commit": None, "code_head": HEAD, "database_revision": "9999"}


def test_not_ready_when_one_step_ahead_is_a_contract_and_this_release_was_never_live(client: Visitor) -> None:
    db.session.execute(text("DELETE FROM schema_releases"))
    add_ledger_step("9998", HEAD, "contract")
    add_ledger_step("9999", "9998", "expand")
    assert readiness(client) == (503, "ahead_contract")


def test_ready_when_a_contract_took_nothing_of_this_release(client: Visitor) -> None:
    assert client.get("/sign-in").status_code == 200  # it has noted what it uses, before its first page
    add_ledger_step("9999", HEAD, "contract")
    assert readiness(client) == (200, "ahead")


@pytest.mark.parametrize("phase", ["expand", "contract"])
def test_not_ready_when_a_step_took_something_of_this_release(client: Visitor, phase: str) -> None:
    assert client.get("/sign-in").status_code == 200
    db.session.execute(text("ALTER TABLE notes DROP content CASCADE"))
    add_ledger_step("9999", HEAD, phase)
    assert readiness(client) == (503, "ahead_contract")


def test_not_ready_when_the_database_is_none_of_this_code(client: Visitor) -> None:
    """The ledger does not know the revision, or it branched off."""
    set_revision("9999")
    assert readiness(client) == (503, "unknown")
    add_ledger_step("9999", "0001", "expand")
    client.application.extensions.pop("schema_state", None)
    assert readiness(client) == (503, "unknown")


def test_the_schema_state_is_cached_and_behind_the_code_it_is_not_ready(client: Visitor) -> None:
    assert readiness(client) == (200, "at_head")
    set_revision("0001")
    assert readiness(client) == (200, "at_head")
    client.application.extensions.pop("schema_state")  # as if it had expired
    assert readiness(client) == (503, "behind")


def test_without_a_database_the_process_is_healthy_and_not_ready(server_environment: dict[str, str]) -> None:
    nowhere = {**server_environment, "DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    client = create_app(TestingConfig(nowhere)).test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"state": "no_answer", "commit": None}


def of_one_connection(environment: dict[str, str]) -> Flask:
    config = TestingConfig({**environment, "WEB_THREADS": "1", "WORKER_THREADS": "1"})
    config.SQLALCHEMY_ENGINE_OPTIONS["pool_timeout"] = 0.01
    return create_app(config)


def test_a_page_that_finds_the_pool_full_is_503_with_retry_after_and_comes_later(
    migrated_environment: dict[str, str],
) -> None:
    app = of_one_connection(migrated_environment)
    stranger, path = app.test_client(), f"/s/{'x' * 22}"  # which nobody shares
    assert stranger.get(path).status_code == 404
    with app.app_context():
        with db.engine.connect():
            answer = stranger.get(path)
        assert (answer.status_code, answer.headers["Retry-After"], answer.mimetype) == (503, "5", "text/html")
        assert stranger.get(path).status_code == 404


def test_a_full_pool_is_503_and_recovers_and_without_our_tables_it_is_not_ready(environment: dict[str, str]) -> None:
    app = of_one_connection(environment)
    with app.app_context():
        with db.engine.connect():
            answer = app.test_client().get("/readyz")
            assert answer.status_code == 503
            assert answer.get_json() == {"state": "no_answer", "commit": None}
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.get_json()["state"] != "no_answer") == (503, True)
