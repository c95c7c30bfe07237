"""A shared result is read by others, and changed by none of them."""

from typing import Any

from flask import Flask

from app.accounts.models import User
from tests.conftest import browser_of
from tests.web.test_owners import ids, paths, rows_of, share_all

__all__ = ["ids"]  # a fixture


def test_a_shared_result_is_read_and_no_more(app: Flask, alice: User, bob: User, ids: dict[str, list[Any]]) -> None:
    share_all()
    browser, before = browser_of(app, bob), rows_of(alice)
    posts = [path for name, method, path in paths(app, ids, of_api=False) if name[:4] == "word" and method == "POST"]
    assert len(posts) > 10
    assert [path for path in posts if browser.submit(path, shared="0").status_code != 404] == []
    assert rows_of(alice) == before
