"""The nightly check of figures corrects and reports what is wrong, and leaves the rest as it is."""

import pytest
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.figures.tasks import check_figures
from app.notes import service as notes
from app.notes.service import archive_note
from tests.figures.counts import counted, kept

DUE = "UPDATE users SET figures_counted_at = now() - interval '13 hours'"
# What is done to both of them, and how many rows are put right then.
WRONG = {
    "a figure": ("UPDATE figures SET notes = notes + 1, todos = 7", 2),
    "no figures": ("DELETE FROM figures", 6),
    "the number of a tag": ("UPDATE tag_counts SET used = 9 WHERE tag = 'a'", 4),
    "a tag too many": ("INSERT INTO tag_counts SELECT id, 'none', 3 FROM users", 2),
    "a tag too few": ("DELETE FROM tag_counts WHERE tag = 'a'", 2),
    "a note too few under a tag": ("DELETE FROM note_tags", 2),
    "a note under the wrong tag": ("UPDATE note_tags SET tag = 'b'", 4),
}


@pytest.fixture(autouse=True)
def notes_with_tags(alice: User, bob: User) -> None:
    for user in (alice, bob):
        notes.create_note(user.id, "", "#a")
        notes.create_note(user.id, "no tag", "")
        archive_note(user.id, notes.create_note(user.id, "archived", "#a"), archived=True)
    db.session.execute(text(DUE))


def test_what_is_wrong_is_put_right_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    for what, (damage, rows) in WRONG.items():
        db.session.execute(text(DUE))
        db.session.execute(text(damage))
        assert kept() != counted(), what
        assert check_figures() == rows, what
        assert kept() == counted(), what
        assert caplog.messages[-1] == f"figures: checked=2 wrong={rows}"
        assert caplog.records[-1].levelname == "WARNING"


def test_what_is_right_stays_as_it_is() -> None:
    before = kept()
    assert check_figures() == 0
    assert kept() == before


def test_who_was_checked_today_is_not_checked_again() -> None:
    db.session.execute(text("UPDATE users SET figures_counted_at = now() - interval '11 hours'"))
    db.session.execute(text("UPDATE figures SET notes = 9"))
    assert check_figures() == 0
    assert {row[1] for row in kept()["figures"]} == {9}


def test_who_was_checked_longest_ago_comes_first(alice: User, bob: User) -> None:
    before_him = text("UPDATE users SET figures_counted_at = figures_counted_at - interval '1 day' WHERE id = :id")
    db.session.execute(before_him, {"id": bob.id})
    order = list(db.session.scalars(text("SELECT id FROM users ORDER BY figures_counted_at")))
    assert order == [bob.id, alice.id]
    db.session.execute(text("UPDATE figures SET notes = 9"))
    check_figures(seconds=0)
    assert {row[1] for row in kept()["figures"]} == {9}


def test_nobody_is_due_who_was_never_counted() -> None:
    """Revision 0029 counts them, and a release that is killed goes on with it."""
    db.session.execute(text("UPDATE users SET figures_counted_at = NULL"))
    assert check_figures() == 0
    assert set(db.session.scalars(text("SELECT figures_counted_at FROM users"))) == {None}
