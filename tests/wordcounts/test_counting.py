"""The job that counts a page: what it stores, what it refuses, and what it does about deleted results."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.wordcounts import counting, service
from app.wordcounts.analysis import sandbox
from app.wordcounts.fetching import fetch
from tests.database import row_counts
from tests.queued import run_queued
from tests.wordcounts.count_job import PAGES, Ask, status, stored
from tests.wordcounts.page_server import PageServer


def test_it_works(app: Flask, ask: Ask, pages: PageServer) -> None:
    ask("/")
    assert status() == ("queued", None)
    run_queued(app)
    row = stored()
    assert (row["status"], row["error"], row["title"], row["final_url"]) == ("done", None, "반달", pages.url("/"))
    assert row["result_all"] == {"the": 1, "moon": 1, "달이": 2}
    assert row["result_no_stop_words"] == {"moon": 1, "달이": 2}
    assert (row["total_words"], row["unique_words"], row["content_words"], row["characters"]) == (4, 3, 3, 12)
    assert row["finished_at"] >= row["created_at"]
    assert row["truncated"] is False


def test_plain_text_is_not_parsed_as_html(app: Flask, ask: Ask) -> None:
    ask("/text")
    run_queued(app)
    assert stored("result_all, title") == {"result_all": {"b": 2, "not": 1, "markup": 1}, "title": None}


def test_a_page_without_words_is_done_with_none(app: Flask, ask: Ask) -> None:
    ask("/empty")
    run_queued(app)
    assert stored("status, total_words, result_all") == {"status": "done", "total_words": 0, "result_all": {}}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "address"),
        ("http://[::1]/", "address"),
        ("ftp://example.com/", "scheme"),
        ("http://example.com:22/", "port"),
        ("http://a:b@example.com/", "credentials"),
    ],
)
def test_a_url_that_bypassed_the_form_is_refused_by_the_job(
    app: Flask, alice: User, connections: list[object], url: str, code: str
) -> None:
    service.ask(alice.id, url)
    run_queued(app)
    assert status() == ("failed", code)
    assert connections == []


def test_a_result_deleted_while_it_is_counted_stays_deleted(app: Flask, alice: User, pages: PageServer) -> None:
    def meanwhile(connection: socket.socket) -> None:
        with app.app_context():
            service.delete_result(alice.id, public_id)
        connection.sendall(PAGES["/"])

    pages.pages = {"/": meanwhile}
    public_id = service.ask(alice.id, pages.url("/"))
    run_queued(app)
    assert stored("url, title, result_all") == {"url": "", "title": None, "result_all": None}


def test_the_page_of_a_deleted_result_is_not_fetched(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    service.delete_result(alice.id, ask("/"))
    run_queued(app)
    assert pages.requests == []
    assert stored("result_all")["result_all"] is None


def test_the_page_of_a_deleted_account_is_not_fetched(app: Flask, ask: Ask, alice: User, pages: PageServer) -> None:
    ask("/")
    db.session.execute(text("DELETE FROM users"))
    db.session.commit()
    run_queued(app)
    assert pages.requests == []
    assert row_counts()["results"] == 0


def test_no_transaction_is_open_while_a_page_is_fetched_and_counted(
    app: Flask, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_transactions = []

    def looking(function: Callable[..., Any]) -> Callable[..., Any]:
        def look(*arguments: Any, **options: Any) -> Any:
            open_transactions.append(db.session().in_transaction())
            return function(*arguments, **options)

        return look

    monkeypatch.setattr(counting, "fetch", looking(fetch))
    monkeypatch.setattr(sandbox, "read", looking(sandbox.read))
    ask("/")
    run_queued(app)
    assert open_transactions == [False, False]


def test_a_result_deleted_more_than_an_hour_ago_is_purged(app: Flask, ask: Ask, alice: User) -> None:
    deleted, old, kept = ask("/"), ask("/text"), ask("/404")
    for public_id in (deleted, old):
        service.delete_result(alice.id, public_id)
    db.session.execute(
        text("UPDATE results SET deleted_at = now() - interval '61 minutes' WHERE public_id = :old"), {"old": old}
    )
    db.session.commit()
    assert counting.purge_deleted_results() == 1
    left = set(db.session.scalars(text("SELECT public_id FROM results")))
    assert left == {deleted, kept}
