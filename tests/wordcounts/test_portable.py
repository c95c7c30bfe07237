"""Word counts in an export, and back: all that is done, once, and nothing that no export has written."""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from app.accounts.models import User
from app.wordcounts import service
from app.wordcounts.analysis.words import LONGEST_WORD
from tests.conftest import browser_of
from tests.database import row_counts
from tests.portability.exports import date_apart, document_of, export, import_, rows_of
from tests.portability.hostile_archives import document, zipped
from tests.visitor import Visitor
from tests.wordcounts import results

ITEM: Mapping[str, Any] = {
    "title": "Example",
    "phrases": {"2": {}, "3": {}},
    **dict.fromkeys(("url", "final_url"), "https://example.com/"),
    "result_all": {"moon": 2}, "result_no_stop_words": {"moon": 2},
    "total_words": 2, "unique_words": 1, "content_words": 2, "characters": 8, "reading_seconds": 1,
    **dict.fromkeys(("truncated", "shared"), False),
    **dict.fromkeys(("created_at", "finished_at"), "2026-03-01T09:00:00+00:00"),
}  # fmt: skip
INVALID: Mapping[str, Mapping[str, Any]] = {
    "an address that is a script": {"final_url": "javascript:alert(1)"},
    "an address inside": {"url": "http://127.0.0.1/"},
    "words of no number": {"result_all": {"moon": "2"}},
    "more words than are kept": {"result_all": dict.fromkeys(map(str, range(5001)), 1), "total_words": 9999,
        "unique_words": 9999},
    "more words than there are": {"total_words": 1, "content_words": 1},
    "more words of content than words": {"content_words": 3},
    "a number that is true": {"characters": True},
    "a total beyond the column": {"characters": 2**31},
    "phrases of four words": {"phrases": {"2": {}, "4": {}}},
}  # fmt: skip


def test_the_export_leaves_out_what_is_deleted_or_unfinished(signed_in: Visitor, alice: User) -> None:
    results.waiting(alice, "https://example.com/waiting")
    results.failed(alice, "dns", "https://example.com/failed")
    service.delete_result(alice.id, results.done(alice, "https://example.com/deleted"))
    assert document_of(export(signed_in))["wordcounts"] == []


def test_an_import_restores_each_kind_once(app: Flask, signed_in: Visitor, alice: User, bob: User) -> None:
    longest = " ".join(["x" * LONGEST_WORD] * 3)
    results.done(alice, phrases={"2": {}, "3": {longest: 2}})
    results.done(alice, "https://example.com/다른", title="Ca\u0301fe", truncated=True)
    results.shared(alice, url="https://example.com/shared", title=None)
    results.done(alice, "https://example.com/empty", result_all={}, result_no_stop_words={}, total_words=0,
                 unique_words=0, content_words=0, phrases={"2": {}, "3": {}})  # fmt: skip
    date_apart(alice)
    archive, browser = export(signed_in), browser_of(app, bob)
    assert {frozenset(item) for item in document_of(archive)["wordcounts"]} == {frozenset(ITEM)}
    for said in ("word counts 4", "You already have everything"):
        assert import_(browser, archive).status_code == 302
        assert said in browser.get("/mypage").text
        assert rows_of(bob) == rows_of(alice)
    assert len(rows_of(bob)["results"]) == 4


def test_an_item_that_no_export_has_is_refused_and_nothing_is_stored(signed_in: Visitor) -> None:
    before = row_counts()
    for defect, changes in INVALID.items():
        answer = import_(signed_in, zipped(document(wordcounts=[ITEM, {**ITEM, **changes}])))
        assert (answer.status_code, "wordcounts 2, " in answer.text) == (422, True), defect
    assert row_counts() == before
    assert import_(signed_in, zipped(document(wordcounts=[ITEM]))).status_code == 302
    assert row_counts()["results"] == before["results"] + 1
