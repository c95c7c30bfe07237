"""A GET costs two SQL statements: one for the session with its user, and one for the page's rows. A search that finds
nothing asks for what is one key away from it, and searches for that."""

from datetime import UTC, date, datetime

from flask import Flask
from sqlalchemy import func, select

from app.accounts.models import User
from app.extensions import db
from app.notes import service as notes
from app.notes.models import Note
from app.notes.service import archive_note
from app.notes.sharing import share_note
from app.todos import service as todos
from tests.conftest import browser_of
from tests.wordcounts import results

COSTS = {
    "/": 1,
    "/notes": 2,
    "/notes?before=0-1700000000000000-9": 3,  # no rows, so the figures are asked for alone
    "/notes?q=note": 2,
    "/notes?q=nothing-like-it": 2,
    "/notes?q=ntoe": 4,
    "/notes?q=nowhere": 3,
    "/notes?q=%23tag&before=0-1700000000000000-9": 3,
    "/notes?tag=tag": 2,
    "/notes?day=2020-02-29": 3,
    "/notes?day={today}": 2,
    "/notes/select": 2,
    "/notes/select?tag=tag&all=1": 2,
    "/notes/tags": 2,
    "/notes/{note}": 2,
    "/notes/{note}/edit": 2,
    "/notes/{deleted}": 2,
    "/notes/{archived}": 2,
    "/notes/archive": 2,
    "/notes/archive?before=1700000000000000-9": 2,
    "/notes/trash": 2,
    "/notes/shared": 2,
    "/notes/shared?before=9": 2,
    "/s/{shared}": 1,  # nobody looks who reads it
    "/todos": 2,
    "/todos?show=open": 2,
    "/todos?show=today": 2,
    "/todos?show=done": 2,
    "/todos?show=done&before=0-9": 2,
    "/todos?sort=due&edit={todo}": 2,
    "/todos/{todo}": 2,
    "/wordcounts": 2,
    "/wordcounts?before=9": 2,
    "/wordcounts/{waiting}": 2,
    "/wordcounts/{failed}": 2,
    "/wordcounts/{done}": 2,
    "/wordcounts/{done}?stop_words=keep&all=1": 2,
    "/wordcounts/{done}.csv": 2,
    "/wordcounts/{done}.json": 2,
    "/mypage": 2,
    "/mypage/devices": 2,
    "/mypage/events": 2,
    "/mypage/events?before=9": 2,
    "/mypage/passkeys": 2,
    "/mypage/edit": 1,
    "/mypage/import": 1,
    "/sign-in": 1,
    "/sign-in/confirm?next=/mypage": 1,
    "/healthz": 0,
}


def day_of_newest_note() -> date:
    """In UTC, as who reads English and has chosen no zone."""
    newest: datetime = db.session.scalars(select(func.max(Note.created_at))).one()
    return newest.astimezone(UTC).date()


def test_each_page_costs_a_fixed_number_of_statements(app: Flask, alice: User, statements: list[str]) -> None:
    for number in range(25):
        note_id = notes.create_note(alice.id, f"note {number}", "text #tag")
        todo_id = todos.create_todo(alice.id, f"todo {number}")
        done = results.done(alice)
    deleted = notes.create_note(alice.id, "deleted", "")
    notes.delete_note(alice.id, deleted)
    archived = notes.create_note(alice.id, "archived", "")
    archive_note(alice.id, archived, archived=True)
    ids = {
        "note": note_id,
        "shared": share_note(alice.id, note_id),
        "todo": todo_id,
        "done": done,
        "waiting": results.waiting(alice),
        "failed": results.failed(alice, "dns"),
        "today": day_of_newest_note(),
        "deleted": deleted,
        "archived": archived,
    }
    for path, count in COSTS.items():
        browser = browser_of(app, alice)  # a new one, which has seen no page
        statements.clear()
        answer = browser.get(path.format_map(ids))
        assert answer.status_code in (200, 302), path
        assert len(statements) == count, (path, statements)


def test_a_public_page_for_an_anonymous_visitor_costs_no_statement(app: Flask, statements: list[str]) -> None:
    assert app.test_client().get("/sign-in").status_code == 200
    assert statements == []


def test_a_shared_result_for_an_anonymous_visitor_costs_one_statement(
    app: Flask, alice: User, statements: list[str]
) -> None:
    public_id = results.shared(alice)
    for end in ("", ".csv", ".json"):
        statements.clear()
        assert app.test_client().get(f"/wordcounts/{public_id}{end}").status_code == 200
        assert len(statements) == 1, statements
