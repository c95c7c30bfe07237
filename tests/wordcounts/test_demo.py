"""The word counts of the demo account."""

from flask import Flask
from sqlalchemy import select

from app.accounts.models import User
from app.demo.service import EMAIL
from app.extensions import db
from app.figures import Figures
from app.wordcounts.models import DONE, Result
from tests.conftest import browser_of


def test_they_are_done_and_every_page_of_them_opens(app: Flask, objects: set[str]) -> None:
    assert app.test_cli_runner().invoke(args=["seed"]).exit_code == 0
    owner = db.session.scalars(select(User).where(User.email == EMAIL)).one()
    counted = db.session.execute(select(Result.public_id, Result.status)).all()
    assert [status for _, status in counted] == [DONE] * 3
    assert db.session.get_one(Figures, owner.id).results_done == 3
    browser = browser_of(app, owner)
    for path in ("/wordcounts", *(f"/wordcounts/{public_id}" for public_id, _ in counted)):
        assert browser.get(path).status_code == 200, path
