"""An error is an HTML page, or problem+json if JSON is requested, and never shows a traceback."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from tests.visitor import Visitor

WRONG_IDS = ["0", "9223372036854775808", "1" * 400, "-1", "abc", "1.5", "١"]


def test_an_unknown_page_is_404_without_signing_in(client: Visitor) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize("note_id", WRONG_IDS)
def test_an_invalid_id_is_404(signed_in: Visitor, note_id: str) -> None:
    assert signed_in.get(f"/notes/{note_id}").status_code == 404


def test_a_wrong_method_is_405_with_the_allow_header(client: Visitor) -> None:
    answer = client.delete("/sign-in")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_json_request_gets_problem_json(client: Visitor) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


def test_an_error_page_is_in_the_readers_language(client: Visitor) -> None:
    page = client.get("/nothing", headers={"Accept-Language": "ko"}).text
    assert '<html lang="ko">' in page


def test_an_unexpected_error_is_500_with_the_request_id_and_no_traceback(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    db.session.execute(text("DROP TABLE notes"))
    db.session.commit()
    answer = signed_in.get("/notes")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    assert "psycopg2" not in answer.text
    assert "UndefinedTable" in caplog.text
