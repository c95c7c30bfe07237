"""An error is an HTML page, or problem+json if JSON is requested, and never shows a traceback."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.notes import service
from tests.visitor import Visitor

WRONG_IDS = ["0", "9223372036854775808", "1" * 400, "-1", "abc", "1.5", "١"]


def test_a_path_with_two_slashes_or_a_wrong_id_is_404_and_redirects_nowhere(signed_in: Visitor) -> None:
    slashes = ("/notes//1", "/notes/1%2F/edit", "/api/v1//notes", "/api/v1/notes/1%2F/pin")
    for path in (*slashes, *(f"/notes/{note_id}" for note_id in WRONG_IDS)):
        answer = signed_in.get(path)
        assert (answer.status_code, answer.headers.get("Location")) == (404, None), path


def test_a_wrong_method_is_405_with_the_allow_header(client: Visitor) -> None:
    answer = client.delete("/sign-in")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_json_request_gets_problem_json(client: Visitor) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert answer.content_type == "application/problem+json"
    assert answer.get_json(force=True)["status"] == 404


NAVIGATION = '<nav class="tabs"'


def test_an_error_page_has_the_navigation_of_the_notebook_for_who_is_signed_in(
    signed_in: Visitor, client: Visitor
) -> None:
    for path, status in (("/notes/9000000000", 404), ("/notes?before=nothing", 400), ("/sign-out", 405)):
        answer = signed_in.get(path)
        assert (answer.status_code, NAVIGATION in answer.text) == (status, True), path
    signed_in.submit("/sign-out")
    assert NAVIGATION not in signed_in.get("/nothing").text
    unknown = client.get("/nothing")
    assert (unknown.status_code, "Page not found" in unknown.text, NAVIGATION in unknown.text) == (404, True, False)
    client.set_cookie("semicircle", "eyJ0b2tlbiI6InRva2VuIn0.aaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaa")
    assert NAVIGATION not in client.get("/nothing").text, "the cookie is forged"


def test_an_error_page_asks_the_database_for_nothing(signed_in: Visitor, statements: list[str]) -> None:
    page = signed_in.get("/nothing").text
    assert NAVIGATION in page
    assert "alice" not in page, "the cookie does not say whose session it is"
    assert statements == []
    assert "alice" in signed_in.get("/notes?before=nothing").text
    assert len(statements) == 1, "the session, before the view has refused"


def test_a_message_waits_for_the_next_page(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "title", "")
    signed_in.submit(f"/notes/{note_id}/delete")
    assert "Moved" not in signed_in.get("/nothing").text
    assert "Moved" in signed_in.get("/notes").text


def test_an_unexpected_error_is_500_with_the_request_id_and_no_traceback(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)  # as in production
    db.session.execute(text("DROP TABLE notes CASCADE"))
    db.session.commit()
    answer = signed_in.get("/notes")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
    assert "psycopg2" not in answer.text
    assert "UndefinedTable" in caplog.text
