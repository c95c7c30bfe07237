"""The installed notebook: its manifest, what the service worker relies on, and the pages that a browser prefetches."""

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.accounts import sessions
from app.accounts.models import User, UserSession
from app.extensions import db
from app.notes import service as notes
from tests.visitor import Visitor

WORKER = Path(__file__).parents[2] / "app/static/sw.js"


def test_an_answer_names_the_account_of_its_reader(signed_in: Visitor, client: Visitor, alice: User) -> None:
    for path in ("/notes", "/notes/1", "/sign-in"):
        assert signed_in.get(path).headers["X-Reader"] == str(alice.id), path
    assert client.get("/notes").headers["X-Reader"] == "none"
    db.session.execute(db.delete(UserSession))
    db.session.commit()
    assert signed_in.get("/sign-in").headers["X-Reader"] == "none"


def test_where_it_is_not_known_who_reads_nobody_is_named(signed_in: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_only_pages_of_signed_in_readers_register_it_and_have_the_line_it_shows(signed_in: Visitor, app: Flask) -> None:
    page, marked = signed_in.get("/notes").text, 'id="kept" hidden'
    assert re.search(r'src="/static/js/outbox\.\w+\.js"', page)
    assert "/static/js/outbox" not in app.test_client().get("/sign-in").text
    assert marked in WORKER.read_text()
    assert page.count(marked) == 1


def test_the_manifest_starts_at_the_notes_and_its_icons_exist(client: Visitor) -> None:
    answer = client.get("/manifest.webmanifest", headers={"Accept-Language": "ko"})
    assert answer.mimetype == "application/manifest+json"
    manifest = answer.get_json(force=True)
    assert (manifest["name"], manifest["lang"], manifest["start_url"]) == ("세미서클", "ko", "/notes")
    for icon in manifest["icons"]:
        with client.get(icon["src"]) as image:
            assert image.mimetype == "image/png"
            assert len(image.data) > 100


def test_a_page_is_prefetched_when_its_link_is_pressed_and_writes_nothing(
    signed_in: Visitor, alice: User, statements: list[str]
) -> None:
    with signed_in.get(signed_in.get("/notes").headers["Speculation-Rules"].strip('"')) as answer:
        assert answer.mimetype == "application/speculationrules+json"
        [rule] = answer.get_json(force=True)["prefetch"]
    assert rule["eagerness"] == "conservative"  # not when it is pointed at
    note_id = notes.create_note(alice.id, "a note", "")
    patterns = rule["where"]["href_matches"]
    assert "/notes/:id(\\d+)" in patterns
    for pattern in patterns:
        statements.clear()
        path = pattern.replace("?*", "?q=a").replace(":id(\\d+)", str(note_id))
        assert signed_in.get(path).status_code in (200, 404)
        assert not [sent for sent in statements if not sent.lstrip().startswith(("SELECT", "WITH"))]
    assert "Speculation-Rules" not in signed_in.get("/healthz").headers
