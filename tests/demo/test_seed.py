"""`flask seed`: a demo account with a year of content, made once, and by the rules of everybody's account."""

import re
from datetime import timedelta

import pytest
from click.testing import Result as Run
from flask import Flask
from sqlalchemy import ColumnElement, delete, func, select

from app import create_app
from app.accounts import service as accounts
from app.accounts.models import User
from app.demo.service import EMAIL, NICKNAME, ZONE
from app.extensions import db
from app.figures import Figures
from app.mypage.overview import WEEKS
from app.notes.models import Note, NoteShare
from app.notes.service import IN_TRASH, LISTED, NOT_DELETED
from app.todos.models import Todo
from config import DevelopmentConfig, ProductionConfig, StagingConfig, TestingConfig
from tests.bucket import object_keys
from tests.conftest import browser_of
from tests.database import commit, row_counts, same_row_counts
from tests.databases import Environment

CHOSEN = "seven quiet herons at dusk"


def seed(app: Flask, *options: str) -> Run:
    return app.test_cli_runner().invoke(args=["seed", *options])


def printed_password(run: Run) -> str:
    found: list[str] = re.findall(r"shown this once: (\S+)", run.output)
    return found[0]


def rows(*conditions: ColumnElement[bool]) -> int:
    return db.session.execute(select(func.count()).where(*conditions)).scalar_one()


def test_production_is_refused_unless_it_is_named_and_a_second_run_changes_nothing(
    app: Flask, objects: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (ProductionConfig.DEMO_ACCOUNT, StagingConfig.DEMO_ACCOUNT, DevelopmentConfig.DEMO_ACCOUNT) == (
        False,
        True,
        True,
    )
    monkeypatch.setitem(app.config, "DEMO_ACCOUNT", False)
    before = row_counts()
    refused = seed(app)
    assert (refused.exit_code, "flask seed --in-production" in refused.output) == (1, True)
    assert row_counts() == before
    first = printed_password(seed(app, "--in-production"))
    assert len(first) >= 20
    assert accounts.authenticate(EMAIL, first).nickname == NICKNAME
    commit(delete(Note).where(Note.pinned.is_(True)))  # what the owner deleted stays deleted
    before, keys = row_counts(), object_keys(app)
    again = seed(app, "--in-production")
    assert (again.exit_code, "Nothing was changed." in again.output) == (0, True)
    assert (row_counts(), object_keys(app)) == (before, keys)
    assert accounts.authenticate(EMAIL, first).nickname == NICKNAME
    db.session.delete(db.session.scalars(select(User)).one())
    db.session.commit()
    assert printed_password(seed(app, "--in-production")) != first


def test_a_password_of_the_environment_is_taken_and_without_a_bucket_there_is_no_photo(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "SEED_PASSWORD", CHOSEN)
    monkeypatch.setattr(app.extensions["bucket"], "_client", None)
    monkeypatch.setitem(app.extensions["bucket"]._config, "S3_ENDPOINT_URL", "http://127.0.0.1:1")
    run = seed(app)
    assert (run.exit_code, "no photo" in run.output, CHOSEN in run.output) == (0, True, False)
    owner = accounts.authenticate(EMAIL, CHOSEN)
    assert owner.email_confirmed_at
    assert owner.image_url is None
    assert rows(Note.user_id == owner.id) > 0


def test_a_password_that_nobody_may_have_is_refused(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with same_row_counts():
        for password in ("9 letters", "password1234", "haneul@example.com", "x" * 129):
            monkeypatch.setitem(app.config, "SEED_PASSWORD", password)
            run = seed(app)
            assert (run.exit_code, run.output[:21]) == (1, "Error: SEED_PASSWORD "), password
            assert password not in run.output


def test_somebody_elses_nickname_is_left_alone(app: Flask) -> None:
    accounts.sign_up("another@example.com", NICKNAME, CHOSEN)
    with same_row_counts():
        run = seed(app)
        assert (run.exit_code, NICKNAME in run.output) == (1, True)


def test_without_a_database_or_its_schema_it_says_what_to_do(environment: Environment) -> None:
    nowhere = {**environment, "DATABASE_URL": "postgres://a:b@127.0.0.1:1/c"}
    for env, said in ((environment, "flask db upgrade"), (nowhere, "make dev")):
        run = seed(create_app(TestingConfig(env)))
        assert (run.exit_code, said in run.output) == (1, True), run.output


def test_it_has_some_of_every_kind_and_a_year_on_the_heat_map_and_its_pages_open(app: Flask, objects: set[str]) -> None:
    assert seed(app).exit_code == 0
    owner = db.session.scalars(select(User).where(User.email == EMAIL)).one()
    assert owner.image_url
    counted = [rows(Note.pinned.is_(True), NOT_DELETED), rows(IN_TRASH), rows(Note.archived_at.is_not(None))]
    assert counted == [2, 1, 3]
    assert rows(NoteShare.note_id == Note.id, NOT_DELETED) == 1
    today = func.timezone(ZONE, func.now()).cast(Todo.due_on.type)
    for due in (Todo.due_on < today, Todo.due_on == today, Todo.due_on == today + 1, Todo.due_on > today + 5):
        assert rows(due, Todo.completed.is_(False)) >= 1
    assert rows(Todo.due_on.is_(None), Todo.completed.is_(False)) >= 1
    assert rows(Todo.completed.is_(True)) >= 3
    assert db.session.get_one(Figures, owner.id).notes == rows(LISTED)
    newest, oldest = db.session.execute(select(func.max(Note.created_at), func.min(Note.created_at))).one()
    now = db.session.execute(select(func.now())).scalar_one()
    assert now - timedelta(days=1) < newest <= now
    assert oldest < now - timedelta(days=330)
    weeks = select(func.count(func.distinct(func.date_trunc("week", Note.created_at)))).where(
        Note.created_at > now - timedelta(weeks=WEEKS)
    )
    assert db.session.execute(weeks).scalar_one() >= WEEKS - 2
    browser = browser_of(app, owner)
    assert rows(Note.user_id == owner.id) > 100  # most are of the diary: plain lines, which open as one another
    paths = [f"/notes/{each}" for each in db.session.scalars(select(Note.id).where(Note.title != ""))]
    lists = ("/notes", "/notes/archive", "/notes/shared", "/notes/trash", "/todos", "/mypage")
    assert [path for path in (*lists, *paths) if browser.get(path).status_code != 200] == []
