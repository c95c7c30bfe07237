"""What a request is and costs is known where its line is written; a slow statement has a line of its own."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request_finished
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import storage, tracing
from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.web.logs import LogfmtFormatter
from tests.conftest import PASSWORD
from tests.logfmt import parse
from tests.visitor import Visitor


@pytest.fixture
def spans(app: Flask) -> Iterator[list[tracing.Span]]:
    """Collect the spans of the requests that were answered."""
    seen: list[tracing.Span] = []

    def note(_sender: Flask, **_: object) -> None:
        span = tracing.current()
        assert span
        seen.append(span)

    request_finished.connect(note, app)
    yield seen
    request_finished.disconnect(note, app)


@pytest.fixture
def span() -> Iterator[tracing.Span]:
    span = tracing.Span(tracing.WEB, "the-id", "/notes/<id:note_id>")
    tracing.begin(span)
    yield span
    tracing.end()


@pytest.fixture
def slow(app: Flask) -> Iterator[None]:
    """Let every statement count as slow."""
    with app.app_context():
        connection: Any = db.session.connection().connection.dbapi_connection
        before, connection.slow_seconds = connection.slow_seconds, 0.0
        yield
        connection.slow_seconds = before


def test_a_page_has_its_rule_its_reader_and_its_statements(
    signed_in: Visitor, alice: User, statements: list[str], spans: list[tracing.Span]
) -> None:
    note_id = service.create_note(alice.id, "a", "b")
    statements.clear()
    signed_in.get(f"/notes/{note_id}", headers={"X-Request-ID": "i" * 32})
    span = spans[-1]
    assert (span.name, span.account, span.request_id) == ("/notes/<id:note_id>", alice.id, "i" * 32)
    assert span.statements >= len(statements) >= 2  # and the savepoints of the test
    assert 0 < span.sql_seconds < 60
    assert span.bucket_seconds == 0
    assert tracing.current() is None  # it ends with the request


def test_a_stranger_has_no_account_before_signing_in_and_a_path_without_a_page_no_rule(
    client: Visitor, alice: User, spans: list[tracing.Span]
) -> None:
    client.get("/nothing")
    assert (spans[-1].name, spans[-1].account, spans[-1].statements) == (None, None, 0)
    client.submit("/sign-in", email=alice.email, password=PASSWORD)
    assert (spans[-1].name, spans[-1].account) == ("/sign-in", alice.id)


@pytest.mark.parametrize(
    ("process", "request_id", "name"),
    [
        ("web", "i" * 32, f"semicircle-web {'i' * 32}"),
        ("worker", "i" * 200, f"semicircle-worker {'i' * 45}"),
        ("worker", None, "semicircle-web"),  # of the connection; a worker's own has its name from app/jobs/worker.py
    ],
)
def test_a_transaction_has_the_request_in_its_name_and_leaves_none_behind(
    app: Flask, process: str, request_id: str | None, name: str
) -> None:
    tracing.begin(tracing.Span(process, request_id))
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == name
        connection.rollback()
        tracing.end()
    with app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == "semicircle-web"


def test_a_commit_is_sql_time_and_no_statement(app: Flask, span: tracing.Span) -> None:
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        before = span.statements, span.sql_seconds
        connection.commit()
    assert span.statements == before[0]
    assert span.sql_seconds > before[1]


def test_the_wait_for_the_bucket_is_counted(app: Flask, span: tracing.Span) -> None:
    with app.app_context():
        assert storage.get("nothing/of/that/name") is None
    assert span.bucket_seconds > 0


@pytest.mark.usefixtures("slow")
def test_a_slow_statement_or_one_that_fails_is_logged_without_its_values(
    span: tracing.Span, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "app.sql_timing")
    db.session.execute(text("SELECT\n  :typed AS typed"), {"typed": "hidden"})
    found = parse(LogfmtFormatter().format(caplog.records[-1]))
    assert int(found.pop("ms")) >= 0
    assert found == {
        "level": "warning",
        "logger": "app.sql_timing",
        "request_id": "the-id",
        "at": "slow_statement",
        "rows": "1",
        "route": "/notes/<id:note_id>",
        "sql": "SELECT %(typed)s AS typed",
    }
    with pytest.raises(DBAPIError):
        db.session.execute(text("SELECT 1 / 0"))
    assert "rows=-1" in LogfmtFormatter().format(caplog.records[-1])


def test_a_fast_one_is_not(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context():
        db.session.execute(text("SELECT 1"))
    assert not caplog.records
