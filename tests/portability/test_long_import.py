"""An import that takes longer than a router waits goes on while its page is streamed, and ends as any other."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app.accounts.models import User
from app.notes import service as notes
from app.portability import service as portability
from app.portability import views
from tests.conftest import browser_of
from tests.database import row_counts, same_row_counts
from tests.portability import hostile_archives as hostile
from tests.portability.exports import export, import_
from tests.visitor import Visitor
from tests.waiting import WITHIN


@pytest.fixture(autouse=True)
def _takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every import begins only when its page does."""
    page, import_archive = views.streamed, portability.import_archive
    has_page = threading.Event()

    def page_first(*arguments: Any) -> Iterator[str]:
        has_page.set()
        return page(*arguments)

    def import_later(*arguments: Any, **named: Any) -> None:
        assert has_page.wait(WITHIN)
        import_archive(*arguments, **named)

    monkeypatch.setattr(views, "streamed", page_first)
    monkeypatch.setattr(portability, "import_archive", import_later)
    monkeypatch.setattr(views, "ANSWER_SECONDS", 0.0)
    monkeypatch.setattr(views, "TELL_SECONDS", 0.001)


@pytest.fixture
def archive(alice: User, signed_in: Visitor) -> bytes:
    for number in range(3):
        notes.create_note(alice.id, f"{number}", "")
    return export(signed_in)


@pytest.fixture
def other(app: Flask, bob: User) -> Visitor:
    return browser_of(app, bob)


def test_its_page_says_what_came_in(archive: bytes, other: Visitor) -> None:
    before = row_counts()["notes"]
    answer = import_(other, archive)
    assert answer.status_code == 200
    assert "Imported: 3 notes, 0 todos" in answer.text
    assert answer.text.rstrip().endswith("</html>")
    assert row_counts()["notes"] == before + 3


def test_a_refusal_is_told_and_nothing_is_stored(signed_in: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portability, "IMPORT_SECONDS", 0.0)
    with same_row_counts():
        answer = import_(signed_in, hostile.zipped(hostile.document()))
        assert 'role="alert"' in answer.text
        assert "This took too long, so nothing was imported." in answer.text


def test_an_error_is_told_and_logged_and_nothing_is_stored(
    signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(portability, "_load", fail)
    with same_row_counts():
        answer = import_(signed_in, hostile.zipped(hostile.document()))
        assert "Something went wrong on our side, so nothing was imported." in answer.text
        assert "the disk is full" in caplog.text


def test_who_leaves_the_page_does_not_stop_it(archive: bytes, other: Visitor) -> None:
    before = row_counts()["notes"]
    answer = import_(other, archive)
    next(iter(answer.response))
    answer.close()
    assert row_counts()["notes"] == before + 3
