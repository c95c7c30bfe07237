"""What the service worker relies on: answers name their reader, and neither it nor its page is anybody's."""

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.accounts import sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from tests.visitor import Visitor

WORKER = Path(__file__).parents[2] / "app/static/sw.js"


@pytest.mark.parametrize("path", ["/notes", "/todos", "/notes/1", "/mypage", "/sign-in"])
def test_an_answer_to_a_signed_in_reader_names_the_account(signed_in: Visitor, alice: User, path: str) -> None:
    assert signed_in.get(path).headers["X-Reader"] == str(alice.id)


def test_who_is_not_signed_in_is_none(client: Visitor) -> None:
    assert client.get("/notes").headers["X-Reader"] == "none"
    assert client.get("/sign-in").headers["X-Reader"] == "none"


def test_who_was_signed_in_once_is_none(signed_in: Visitor) -> None:
    db.session.execute(db.delete(UserSession))
    db.session.commit()
    assert signed_in.get("/sign-in").headers["X-Reader"] == "none"


def test_where_it_is_not_known_who_reads_nobody_is_named(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure of the database must neither show nor delete what the reader keeps."""

    def fail(token: str) -> None:
        raise OperationalError("SELECT", {}, ConnectionError(), connection_invalidated=True)

    assert "X-Reader" not in signed_in.get("/nothing").headers
    monkeypatch.setattr(sessions, "find_session", fail)
    answer = signed_in.get("/notes")
    assert answer.status_code == 503
    assert "X-Reader" not in answer.headers


def test_the_offline_page_is_nobodys(signed_in: Visitor, alice: User, statements: list[str]) -> None:
    answer = signed_in.get("/offline", headers={"Accept-Language": "ko"})
    assert answer.status_code == 200
    assert "오프라인이에요" in answer.text
    assert "X-Reader" not in answer.headers
    assert alice.nickname not in answer.text
    assert statements == []


def test_a_browser_asks_for_the_worker_at_each_visit(client: Visitor) -> None:
    with client.get("/sw.js") as answer:
        assert answer.mimetype == "text/javascript"
        assert answer.headers["Cache-Control"] == "max-age=0, public"
        assert answer.headers["ETag"]
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; connect-src 'self'"
        assert "Set-Cookie" not in answer.headers
        assert answer.data == WORKER.read_bytes()
    assert len(WORKER.read_bytes()) <= 4096


def test_only_pages_of_signed_in_readers_register_it(signed_in: Visitor, client: Visitor, app: Flask) -> None:
    assert re.search(r'src="/static/js/outbox\.\w+\.js"', signed_in.get("/notes").text)
    assert "/static/js/outbox" not in app.test_client().get("/sign-in").text


def test_a_page_has_the_line_that_the_worker_shows(signed_in: Visitor) -> None:
    marked = 'id="kept" hidden'
    assert marked in WORKER.read_text()
    assert signed_in.get("/notes").text.count(marked) == 1
