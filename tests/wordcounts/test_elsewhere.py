"""Word counts outside of their own pages: shared with others, and in the demo account."""

from typing import Any

from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.demo.service import EMAIL
from app.extensions import db
from app.figures import Figures
from app.wordcounts.models import DONE, Result
from tests.conftest import browser_of
from tests.web.test_access import ids, paths, rows_of, share_all

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
