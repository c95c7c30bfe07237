"""/healthz is about the process, /readyz about the database and its schema."""

from sqlalchemy import text

from app import create_app
from app.extensions import db
from config import TestingConfig
from tests.visitor import Visitor


def set_revision(revision: str) -> None:
    db.session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    db.session.commit()


def test_ready_at_the_head(client: Visitor) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["name"] == "at_head"


def test_not_ready_when_the_database_is_behind_the_code(client: Visitor) -> None:
    set_revision("0001")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["name"] == "behind"


def test_not_ready_when_no_migration_has_run(environment: dict[str, str]) -> None:
    answer = create_app(TestingConfig(environment)).test_client().get("/readyz")
    assert answer.status_code == 503


def test_ready_when_the_database_is_ahead_of_the_code(client: Visitor) -> None:
    set_revision("9999")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["name"] == "ahead"


def test_without_a_database_the_process_is_healthy_and_not_ready(environment: dict[str, str]) -> None:
    nowhere = {**environment, "DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/nothing"}
    client = create_app(TestingConfig(nowhere)).test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_a_full_pool_is_503_with_retry_after_and_recovers(environment: dict[str, str]) -> None:
    app = create_app(TestingConfig({**environment, "WEB_THREADS": "1"}))
    with app.app_context():
        with db.engine.connect():
            answer = app.test_client().get("/readyz")
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "5"
        assert app.test_client().get("/readyz").is_json
        db.engine.dispose()
