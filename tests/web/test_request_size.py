"""Request bodies have a size limit (413), and database statements have a timeout."""

from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from tests.database import row_counts
from tests.visitor import Visitor


def test_a_text_form_over_64_kib_is_413_and_stores_nothing(signed_in: Visitor) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    answer = signed_in.post("/notes", data={"csrf_token": token, "title": "x", "content": "x" * 70_000})
    assert answer.status_code == 413
    assert row_counts() == before


def test_the_longest_note_fits_a_text_form(signed_in: Visitor) -> None:
    token = signed_in.csrf_token()
    answer = signed_in.post("/notes", data={"csrf_token": token, "title": "😀" * 50, "content": "😀" * 2000})
    assert answer.status_code == 302


def test_a_form_of_too_many_fields_is_413_and_stores_nothing(signed_in: Visitor) -> None:
    before = row_counts()
    data = {f"field{number}": "x" for number in range(20_000)}
    assert signed_in.post("/notes", data=data).status_code == 413
    assert row_counts() == before


@pytest.mark.parametrize(
    ("path", "field"),
    [("/notes", "content"), ("/todos", "description"), ("/wordcounts", "url"), ("/mypage/nickname", "nickname")],
)
def test_a_file_in_a_text_field_is_422_and_stores_nothing(signed_in: Visitor, path: str, field: str) -> None:
    before = row_counts()
    answer = signed_in.submit(path, **{"title": "x", field: (BytesIO(b"x"), "f.txt")})
    assert answer.status_code == 422
    assert row_counts() == before


@pytest.mark.parametrize(("path", "field"), [("/sign-in", "email"), ("/sign-up", "nickname")])
def test_an_anonymous_visitors_file_in_a_text_field_is_422(client: Visitor, path: str, field: str) -> None:
    assert client.submit(path, **{field: (BytesIO(b"x"), "f.txt")}).status_code == 422


def test_database_statements_time_out_after_20_seconds(app: Flask) -> None:
    assert db.session.scalar(text("SHOW statement_timeout")) == "20s"
    assert db.session.scalar(text("SHOW idle_in_transaction_session_timeout")) == "20s"
