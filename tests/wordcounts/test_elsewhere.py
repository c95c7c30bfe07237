"""Word counts outside of their own pages: shared with others, in the demo account, in an export, and by the API."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.accounts.models import User
from app.demo.service import EMAIL
from app.extensions import db
from app.figures import Figures
from app.wordcounts import service
from app.wordcounts.analysis.words import LONGEST_WORD
from app.wordcounts.models import DONE, FAILED, Result
from tests.api.conftest import Program, pointers, program_of
from tests.conftest import browser_of
from tests.database import row_counts, same_row_counts
from tests.portability import exports
from tests.portability.exports import date_apart, document_of, export, import_
from tests.portability.hostile_archives import document, zipped
from tests.visitor import Visitor
from tests.web.test_access import ids, paths, rows_of, share_all
from tests.wordcounts import results

__all__ = ["ids"]  # a fixture


def test_a_shared_result_is_read_and_no_more(app: Flask, alice: User, bob: User, ids: dict[str, list[Any]]) -> None:
    share_all()
    browser, before = browser_of(app, bob), rows_of(alice)
    posts = [path for name, method, path in paths(app, ids, of_api=False) if name[:4] == "word" and method == "POST"]
    assert len(posts) > 10
    assert [path for path in posts if browser.submit(path, shared="0").status_code != 404] == []
    assert rows_of(alice) == before


def test_those_of_the_demo_account_are_done_and_every_page_of_them_opens(app: Flask, objects: set[str]) -> None:
    assert app.test_cli_runner().invoke(args=["seed"]).exit_code == 0
    owner = db.session.scalars(select(User).where(User.email == EMAIL)).one()
    counted = db.session.execute(select(Result.public_id, Result.status)).all()
    assert [status for _, status in counted] == [DONE] * 3
    assert db.session.get_one(Figures, owner.id).results_done == 3
    browser = browser_of(app, owner)
    for path in ("/wordcounts", *(f"/wordcounts/{public_id}" for public_id, _ in counted)):
        assert browser.get(path).status_code == 200, path


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
    assert {frozenset(item) for item in document_of(archive)["wordcounts"]} == {frozenset([*ITEM, "id", "status"])}
    for said in ("4 word counts", "You already have everything"):
        assert import_(browser, archive).status_code == 302
        assert said in browser.get("/mypage").text
        assert exports.rows_of(bob) == exports.rows_of(alice)
    assert len(exports.rows_of(bob)["results"]) == 4


def test_an_item_that_no_export_has_is_refused_and_nothing_is_stored(signed_in: Visitor) -> None:
    before = row_counts()
    for defect, changes in INVALID.items():
        answer = import_(signed_in, zipped(document(wordcounts=[ITEM, {**ITEM, **changes}])))
        assert (answer.status_code, "wordcounts 2, " in answer.text) == (422, True), defect
    assert row_counts() == before
    assert import_(signed_in, zipped(document(wordcounts=[ITEM]))).status_code == 302
    assert row_counts()["results"] == before["results"] + 1


@pytest.fixture
def program(app: Flask, alice: User) -> Program:
    return program_of(app, alice, "read", "write")


ADDRESS = {"url": "https://example.com/"}


def test_a_count_is_asked_for_and_answered_before_it_is_done(program: Program) -> None:
    answer = program.post("/wordcounts", {"url": "example.com"})
    assert (answer.status_code, answer.json["status"], answer.json["url"]) == (202, "queued", "https://example.com")
    assert answer.headers["Location"] == f"/api/v1/wordcounts/{answer.json['id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert [found["id"] for found in program.get("/wordcounts").json["wordcounts"]] == [answer.json["id"]]


def test_an_address_that_cannot_be_counted_is_refused(program: Program) -> None:
    with same_row_counts():
        for url in ("", "x" * 2001, "http://127.0.0.1/"):
            answer = program.post("/wordcounts", {"url": url})
            assert (answer.status_code, pointers(answer)) == (422, ["#/url"]), url


def test_a_finished_count_has_its_words(program: Program, alice: User) -> None:
    public_id = results.done(alice)
    kept = program.get(f"/wordcounts/{public_id}?stop_words=keep&wait=20")
    assert "Retry-After" not in kept.headers
    assert (kept.json["status"], kept.json["error"]) == ("done", None)
    assert sum(kept.json["words"].values()) >= sum(program.get(f"/wordcounts/{public_id}").json["words"].values())
    for wrong in ("?wait=21", "?wait=-1", "?wait=x", "?stop_words=some"):
        assert program.get(f"/wordcounts/{public_id}{wrong}").status_code == 422


def test_waiting_ends_when_the_count_is_finished(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    public_id = program.post("/wordcounts", ADDRESS).json["id"]
    looks: list[float] = []

    def finish(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            done = {"status": FAILED, "error": "dns", "finished_at": Result.created_at}
            db.session.execute(update(Result).values(**done))

    monkeypatch.setattr(time, "sleep", finish)
    answer = program.get(f"/wordcounts/{public_id}?wait=20")
    assert (answer.json["status"], len(looks)) == (FAILED, 2)
    assert "website" in answer.json["error"]


def test_no_more_wait_than_there_are_seats(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    public_id = program.post("/wordcounts", ADDRESS).json["id"]
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it waits"))
    assert service.SEATS.acquire(blocking=False)
    assert service.SEATS.acquire(blocking=False)
    try:
        answer = program.get(f"/wordcounts/{public_id}?wait=20")
    finally:
        service.SEATS.release(2)
    assert (answer.json["status"], answer.headers["Retry-After"]) == ("queued", "2")


def test_limits_say_when_to_come_back(monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    for number in range(5):
        assert program.post("/wordcounts", {"url": f"https://example.com/{number}"}).status_code == 202
    with same_row_counts():
        for per_hour, seconds, limit in ((6, "20", "still being counted"), (5, "3600", "hourly limit for word counts")):
            monkeypatch.setattr(service, "MAX_PER_HOUR", per_hour)
            answer = program.post("/wordcounts", ADDRESS, Idempotency_Key="k")
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, seconds)
            assert limit in answer.json["detail"]


def test_a_request_with_a_key_is_obeyed_once_also_after_its_count_was_deleted(program: Program) -> None:
    first, again = (program.post("/wordcounts", ADDRESS, Idempotency_Key="k") for _ in range(2))
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert program.post("/wordcounts", {"url": "https://example.com/other"}, Idempotency_Key="k").status_code == 422
    program.delete(f"/wordcounts/{again.json['id']}")
    with same_row_counts():
        assert program.post("/wordcounts", ADDRESS, Idempotency_Key="k").status_code == 410
    assert program.post("/wordcounts", ADDRESS, Idempotency_Key="k2").status_code == 202
