"""Word counts in an export, and back."""

from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from tests.conftest import browser_of
from tests.portability.exports import document_of, export, import_
from tests.visitor import Visitor
from tests.wordcounts import results


def test_the_export_leaves_out_what_is_deleted_or_unfinished(signed_in: Visitor, alice: User) -> None:
    results.waiting(alice, "https://example.com/waiting")
    results.failed(alice, "dns", "https://example.com/failed")
    service.delete_result(alice.id, results.done(alice, "https://example.com/deleted"))
    assert document_of(export(signed_in))["wordcounts"] == []


def test_the_page_says_how_many_came_in(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    results.done(alice)
    browser = browser_of(app, bob)
    assert import_(browser, export(signed_in)).status_code == 302
    assert "Imported: notes 0, todos 0, word counts 1." in browser.get("/mypage").text
