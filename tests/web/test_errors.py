"""Errors are pages in the house's look, or problem+json when JSON is asked for; never a trace."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from tests.visitor import Visitor

WRONG_IDS = ["0", "9223372036854775808", "1" * 400, "-1", "abc", "1.5", "١"]


def test_a_page_that_is_not_there_is_404_for_everybody(client: Visitor) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize("note_id", WRONG_IDS)
def test_an_id_that_no_row_can_have_is_404(signed_in: Visitor, note_id: str) -> None:
    assert signed_in.get(f"/notes/{note_id}").status_code == 404


def test_a_wrong_method_is_405_and_says_which_is_right(client: Visitor) -> None:
    answer = client.delete("/sign-in")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_json_is_answered_with_a_problem(client: Visitor) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


def test_an_error_speaks_the_readers_language(client: Visitor) -> None:
    page = client.get("/nothing", headers={"Accept-Language": "ko"}).text
    assert '<html lang="ko">' in page


def test_what_nobody_foresaw_is_500_with_a_number_and_no_trace(
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
