"""Word counts by the API: ask, wait, read; the pages' rules and limits."""

import time

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import service
from app.wordcounts.models import FAILED, Result
from tests.api.program import Program, pointers, program_of
from tests.database import row_counts
from tests.wordcounts import results


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
    before = row_counts()
    for url in ("", "x" * 2001, "http://127.0.0.1/"):
        answer = program.post("/wordcounts", {"url": url})
        assert (answer.status_code, pointers(answer)) == (422, ["#/url"]), url
    assert row_counts() == before


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
    before = row_counts()
    for per_hour, seconds, limit in ((6, "20", "still being counted"), (5, "3600", "hourly limit for word counts")):
        monkeypatch.setattr(service, "MAX_PER_HOUR", per_hour)
        answer = program.post("/wordcounts", ADDRESS, Idempotency_Key="k")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, seconds)
        assert limit in answer.json["detail"]
    assert row_counts() == before


def test_a_request_with_a_key_is_obeyed_once_also_after_its_count_was_deleted(program: Program) -> None:
    first, again = (program.post("/wordcounts", ADDRESS, Idempotency_Key="k") for _ in range(2))
    assert (again.status_code, again.json["id"]) == (202, first.json["id"])
    assert program.post("/wordcounts", {"url": "https://example.com/other"}, Idempotency_Key="k").status_code == 422
    program.delete(f"/wordcounts/{again.json['id']}")
    before = row_counts()
    assert program.post("/wordcounts", ADDRESS, Idempotency_Key="k").status_code == 410
    assert row_counts() == before
    assert program.post("/wordcounts", ADDRESS, Idempotency_Key="k2").status_code == 202
