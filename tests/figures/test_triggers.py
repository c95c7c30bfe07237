"""Kept figures are what a count of the rows would be, after all that happens to rows at any moment; and the check."""

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import select, text

from app import create_app, figures
from app.accounts import service as accounts
from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.figures import check_figures
from app.notes import selection, service
from app.notes import service as notes
from app.notes.models import Note
from app.notes.portable import NOTES
from app.notes.service import IN_ARCHIVE, StaleVersion, archive_note
from app.notes.texts import tags_of
from app.rejection import RowNotFound
from app.todos import service as todos
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.database import commit, row_counts
from tests.databases import Environment
from tests.figures.counts import counted, kept
from tests.portability import hostile_archives as sound
from tests.portability.exports import import_
from tests.samples import samples
from tests.visitor import Visitor
from tests.waiting import somebody_waits, wait_until

HAPPENS: dict[str, Callable[[User, int], object]] = {
    "edit the tags": lambda user, note: notes.update_note(user.id, note, "", "#b #c", version=1),
    "take the tags out": lambda user, note: notes.update_note(user.id, note, "", "none", version=1),
    "pin": lambda user, note: notes.pin_note(user.id, note, pinned=True),
    "delete": lambda user, note: notes.delete_note(user.id, note),
    "restore": lambda user, _: notes.restore_note(user.id, in_trash(user)),
    "archive": lambda user, note: archive_note(user.id, note, archived=True),
    "take out of the archive": lambda user, _: archive_note(user.id, in_archive(user), archived=False),
    "delete an archived note": lambda user, _: notes.delete_note(user.id, in_archive(user)),
    "restore an archived note": lambda user, _: (
        notes.delete_note(user.id, in_archive(user)),
        notes.restore_note(user.id, in_trash(user)),
    ),
    "edit the tags of an archived note": lambda user, _: notes.update_note(user.id, in_archive(user), "", "#e", 1),
    "pin an archived note": lambda user, _: notes.pin_note(user.id, in_archive(user), pinned=True),
    "empty the trash": lambda user, _: service.empty_trash(user.id),
    "purge": lambda user, _: service.purge_deleted_notes(0),
    "tick": lambda user, _: todos.change_todo(user.id, todo_of(user), completed=True),
    "clear what is done": lambda user, _: todos.clear_completed(user.id),
    "delete a todo": lambda user, _: todos.delete_todo(user.id, todo_of(user)),
    "finish one of each other feature": lambda user, _: [each.own(user) for each in samples()],
    "share a note with another person": lambda user, note: execute(
        "UPDATE notes SET user_id = (SELECT max(id) FROM users) WHERE id = :id", id=note
    ),
    "write many rows at once": lambda user, _: execute(
        "INSERT INTO notes (user_id, title, content, tags) SELECT users.id, '', 'x', '{a,a,z}' FROM users,"
        " generate_series(1, 30)"
    ),
    "change many rows at once": lambda user, _: execute(
        "UPDATE notes SET tags = tags || '{x}', pinned = NOT pinned, created_at = created_at - interval '1 day',"
        " deleted_at = CASE WHEN deleted_at IS NULL AND id % 2 = 0 THEN now() END,"
        " archived_at = CASE WHEN archived_at IS NULL AND id % 3 > 0 THEN now() END"
    ),
    "delete all rows": lambda user, _: execute("DELETE FROM notes"),
    "write no row": lambda user, _: execute("DELETE FROM notes WHERE false"),
}


def execute(statement: str, **parameters: object) -> None:
    commit(text(statement), parameters)


def in_trash(user: User) -> int:
    """Return the note that was deleted last; others are there for too long to be restored."""
    deleted = db.select(Note.id).where(Note.user_id == user.id, Note.deleted_at.is_not(None))
    return int(db.session.scalars(deleted.order_by(Note.deleted_at.desc())).first() or 0)


def in_archive(user: User) -> int:
    return int(db.session.scalar(db.select(Note.id).where(Note.user_id == user.id, IN_ARCHIVE)) or 0)


def todo_of(user: User) -> int:
    return int(db.session.scalar(text("SELECT min(id) FROM todos WHERE user_id = :id"), {"id": user.id}) or 0)


@pytest.fixture
def note(alice: User, bob: User) -> int:
    """Return one of alice's notes. Both users have some of everything."""
    for user in (alice, bob):
        note_id = notes.create_note(user.id, "", "#a #b")
        notes.create_note(user.id, "no tags", "")
        notes.pin_note(user.id, notes.create_note(user.id, "#b", ""), pinned=True)
        archive_note(user.id, notes.create_note(user.id, "", "#a #archived"), archived=True)
        for number in range(2):
            notes.delete_note(user.id, notes.create_note(user.id, "", f"#a #gone{number}"))
        todos.change_todo(user.id, todos.create_todo(user.id, "done"), completed=True)
        todos.create_todo(user.id, "open")
        for each in samples():
            each.own(user)
    execute("UPDATE notes SET deleted_at = now() - interval '40 days' WHERE tags @> '{gone0}'")
    assert kept() == counted()
    return int(db.session.scalar(text("SELECT min(id) FROM notes WHERE user_id = :id"), {"id": alice.id}) or note_id)


def test_the_figures_are_what_is_counted_after_each_thing_that_happens(alice: User, note: int) -> None:
    connection = db.session.connection()
    db.session.commit()
    for what, happens in HAPPENS.items():
        savepoint = connection.begin_nested()
        happens(alice, note)
        assert kept() == counted(), what
        db.session.rollback()
        savepoint.rollback()
        db.session.expire_all()


def test_the_figures_follow_an_import(signed_in: Visitor, alice: User, note: int) -> None:
    item = {**sound.NOTE, "content": "#imported #a"}
    import_(signed_in, sound.zipped(sound.document_of_lists(notes=[item] * 3)))
    assert kept() == counted()
    assert ("imported", 3) in {(tag, used) for _, tag, used in kept()["tags"]}


def test_what_is_rolled_back_changes_no_figure(alice: User, note: int) -> None:
    before = kept()
    with db.session.begin_nested() as savepoint:
        db.session.execute(text("DELETE FROM notes"))
        savepoint.rollback()
    assert kept() == before


def test_an_update_of_nothing_that_is_counted_writes_no_figure(alice: User, note: int) -> None:
    before = versions()
    execute("UPDATE notes SET content = 'other', updated_at = now(), version = version + 1")
    execute("UPDATE todos SET position = position + 1, description = 'other'")
    for each in samples():
        execute(each.share_all)
    assert versions() == before


def versions() -> list[str]:
    """Return where each row stands; one that is written stands elsewhere."""
    return [
        row
        for table in ("figures", "tag_counts", "note_tags")
        for row in db.session.scalars(text(f"SELECT ctid || '{table}' FROM {table} ORDER BY 1"))
    ]


def test_a_deleted_account_leaves_no_figures_and_those_of_others_as_they_are(alice: User, bob: User, note: int) -> None:
    of_bob = {name: [row for row in rows if row[0] == bob.id] for name, rows in kept().items()}
    execute("DELETE FROM users WHERE id = :id", id=alice.id)
    assert kept() == of_bob == counted()
    assert row_counts()["users"] == 1


def test_no_trigger_joins_the_rows_before_with_those_after(app: Flask) -> None:
    """PostgreSQL knows nothing of such tables, and compares each row of a backfill with each other one."""
    functions = db.session.scalars(
        text(
            "SELECT pg_get_functiondef(tgfoid) FROM pg_trigger WHERE tgoldtable IS NOT NULL AND tgnewtable IS NOT NULL"
        )
    ).all()
    assert len(functions) == 3
    assert not [definition for definition in functions if re.search(r"JOIN\s+(old|new)_rows", definition)]


DUE = "UPDATE users SET figures_counted_at = now() - interval '13 hours'"
# A change of both of them, and how many rows are put right then.
WRONG = {
    "a figure": ("UPDATE figures SET notes = notes + 1, todos = 7", 2),
    "no figures": ("DELETE FROM figures", 6),
    "the number of a tag": ("UPDATE tag_counts SET used = 9 WHERE tag = 'a'", 4),
    "a tag too many": ("INSERT INTO tag_counts SELECT id, 'none', 3 FROM users", 2),
    "a tag too few": ("DELETE FROM tag_counts WHERE tag = 'a'", 2),
    "a note too few under a tag": ("DELETE FROM note_tags", 2),
    "a note under the wrong tag": ("UPDATE note_tags SET tag = 'b'", 4),
}


@pytest.fixture
def notes_with_tags(alice: User, bob: User) -> None:
    for user in (alice, bob):
        notes.create_note(user.id, "", "#a")
        notes.create_note(user.id, "no tag", "")
        archive_note(user.id, notes.create_note(user.id, "archived", "#a"), archived=True)
    db.session.execute(text(DUE))


@pytest.mark.usefixtures("notes_with_tags")
def test_what_is_wrong_is_put_right_and_counted_and_what_is_right_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "app.figures")
    before = kept()
    check_figures(0)
    assert (kept(), caplog.messages[-1]) == (before, "figures: checked=2 wrong=0")
    for what, (damage, rows) in WRONG.items():
        db.session.execute(text(DUE))
        db.session.execute(text(damage))
        assert kept() != counted(), what
        check_figures(0)
        assert kept() == counted(), what
        assert caplog.messages[-1] == f"figures: checked=2 wrong={rows}"
        assert caplog.records[-1].levelname == "WARNING"


@pytest.mark.usefixtures("notes_with_tags")
def test_who_was_checked_today_is_not_checked_again_nor_is_who_was_never_counted() -> None:
    """Revision 0029 counts those, and a release that is killed goes on with it."""
    for counted_at in ("now() - interval '11 hours'", "NULL"):
        db.session.execute(text(f"UPDATE users SET figures_counted_at = {counted_at}"))
        db.session.execute(text("UPDATE figures SET notes = 9"))
        check_figures(0)
        assert {row[1] for row in kept()["figures"]} == {9}, counted_at
    assert set(db.session.scalars(text("SELECT figures_counted_at FROM users"))) == {None}


@pytest.mark.usefixtures("notes_with_tags")
def test_who_was_checked_longest_ago_comes_first(alice: User, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    execute("UPDATE users SET figures_counted_at = figures_counted_at - interval '1 day' WHERE id = :id", id=bob.id)
    execute("UPDATE figures SET notes = 9")
    seconds = iter((0.0, 0.0, figures.SECONDS))  # time for one
    monkeypatch.setattr(figures, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    check_figures(0)
    assert {row[0]: row[1] for row in kept()["figures"]} == {alice.id: 9, bob.id: 2}


Actions = Callable[[random.Random, int], list[Callable[[], object]]]

THREADS = 20
ROUNDS = 8  # of each thread
PEOPLE = 3
ITEM = {
    "title": "", "content": "#a #imported", "tags": [], "pinned": False, "deleted_at": None,
    "created_at": "2026-03-01T09:00:00+00:00", "updated_at": "2026-03-01T09:00:00+00:00",
}  # fmt: skip
NOT_THERE_ANY_MORE = (RowNotFound, StaleVersion, RowNotFound, AccountGone)
EXPIRED = text("UPDATE notes SET deleted_at = deleted_at - interval '40 days' WHERE id = :id")


@pytest.fixture
def crowded(migrated_environment: Environment) -> Iterator[Flask]:
    """Yield an application, in its context, with a connection for each thread."""
    app = create_app(TestingConfig({**migrated_environment, "WEB_THREADS": str(THREADS + 1)}))
    with app.app_context():
        yield app


def everything(chance: random.Random, user_id: int) -> list[Callable[[], object]]:
    """Return all that a person can do, and that is done at night."""
    note = one_of(chance, "notes", user_id)
    todo = one_of(chance, "todos", user_id)
    tags = " ".join(f"#{chance.choice('abcdef')}" for _ in range(3))
    return [
        lambda: service.create_note(user_id, "", tags),
        lambda: service.create_note(user_id, "", tags),
        lambda: service.update_note(user_id, note, "", tags, version=1),
        lambda: service.pin_note(user_id, note, pinned=chance.random() < 0.5),
        lambda: service.delete_note(user_id, note),
        lambda: service.restore_note(user_id, note),
        lambda: archive_note(user_id, note, archived=chance.random() < 0.5),
        chance.choice(several_at_once(chance, user_id)),
        lambda: service.empty_trash(user_id),
        lambda: commit(EXPIRED, {"id": note}),
        lambda: service.purge_deleted_notes(0),
        lambda: imports(user_id),
        lambda: todos.create_todo(user_id, "one"),
        lambda: todos.change_todo(user_id, todo, completed=True),
        lambda: todos.clear_completed(user_id),
        lambda: is_checked(user_id),
    ]


def several_at_once(chance: random.Random, user_id: int) -> list[Callable[[], object]]:
    """Return actions that take the locks of several notes."""
    ids = [one_of(chance, "notes", user_id) for _ in range(8)]
    return [
        lambda: service.create_note(user_id, "", "#a #b"),
        lambda: service.create_note(user_id, "", "#c"),
        lambda: selection.pin_notes(user_id, ids, pinned=chance.random() < 0.5),
        lambda: selection.tag_notes(user_id, ids, chance.choice("abcdef")),
        lambda: selection.undo(user_id, "archive", selection.put_away(user_id, ids, "archive")[1]),
        lambda: selection.undo(user_id, "delete", selection.put_away(user_id, ids, "delete")[1]),
        lambda: service.empty_trash(user_id),
    ]


def is_checked(user_id: int) -> None:
    commit(text("UPDATE users SET figures_counted_at = now() - interval '1 day' WHERE id = :id"), {"id": user_id})
    check_figures(0)


def one_of(chance: random.Random, table: str, user_id: int) -> int:
    ids = db.session.scalars(text(f"SELECT id FROM {table} WHERE user_id = :owner"), {"owner": user_id}).all()
    db.session.commit()
    return int(chance.choice(ids)) if ids else 0


def imports(user_id: int) -> None:
    """Import two lists, and so several statements of one transaction, as app/portability/service.py has it."""
    accounts.lock_user(user_id)
    NOTES.load(user_id, [NOTES.read(ITEM)] * 3)
    NOTES.load(user_id, [NOTES.read({**ITEM, "content": "#f #b", "title": str(random.random())})])  # noqa: S311
    db.session.commit()


def acts(app: Flask, seed: int, people: list[int], what: Actions) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    with app.app_context():
        for _ in range(ROUNDS):
            with suppress(*NOT_THERE_ANY_MORE):
                chance.choice(what(chance, chance.choice(people)))()
            db.session.rollback()
        db.session.remove()


def test_whatever_people_do_at_the_same_moment_the_figures_are_what_is_counted_and_no_tag_is_lost(
    crowded: Flask,
) -> None:
    """Nobody waits for another in a circle either, as several notes of one person at once could."""
    people = [accounts.sign_up(f"{n}@example.com", f"n{n}", PASSWORD).id for n in range(PEOPLE)]
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda seed: acts(crowded, seed, people, everything), range(THREADS)))
        assert kept() == counted()
        assert sum(row[2] for row in kept()["figures"]) > 0
        db.session.rollback()  # what was read holds a lock
        list(threads.map(lambda seed: acts(crowded, seed, people[:1], several_at_once), range(2 * THREADS)))
    assert kept() == counted()
    notes = db.session.scalars(select(Note)).all()
    assert [note.tags for note in notes] == [tags_of(note.title, note.content) for note in notes]


def test_an_account_that_goes_takes_its_figures_along_whatever_its_owner_does(migrated: Flask) -> None:
    people = [accounts.sign_up(f"{n}@example.com", f"n{n}", PASSWORD).id for n in range(PEOPLE)]
    begun = Event()

    def writes(user_id: int) -> None:
        with migrated.app_context():
            with suppress(AccountGone):
                for number in range(1000):
                    service.create_note(user_id, "", f"#a #tag{number}")
                    begun.set()
            db.session.remove()

    with ThreadPoolExecutor(3) as threads:
        writing = [threads.submit(writes, people[0]) for _ in range(2)]
        assert begun.wait(60)
        commit(text("DELETE FROM users WHERE id = :id"), {"id": people[0]})
        for done in writing:
            done.result()
    assert kept() == counted()
    assert people[0] not in {row[0] for rows in kept().values() for row in rows}


def test_counting_while_somebody_writes_counts_nothing_twice_and_leaves_nothing_out(migrated: Flask) -> None:
    """As revision 0029 does it: the writer has stored its note, and commits after the count has begun."""
    user_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    service.create_note(user_id, "", "#a")
    commit(text("DELETE FROM figures WHERE user_id = :id"), {"id": user_id})  # as before anybody has counted
    recount = text("SELECT recount_figures(:owner)")
    insert = text("INSERT INTO notes (user_id, title, content, tags) VALUES (:owner, '', 'x', '{a,b}')")
    with db.engine.connect() as writer, db.engine.connect() as counter, ThreadPoolExecutor(1) as threads:
        writer.execute(insert, {"owner": user_id})
        counting = threads.submit(counter.scalar, recount, {"owner": user_id})
        wait_until(lambda: counting.done() or somebody_waits(), "the count waits for the writer")
        assert not counting.done()
        writer.commit()
        counting.result()
        counter.commit()
        writer.execute(insert, {"owner": user_id})
        writer.commit()
    assert kept() == counted()
    assert kept()["tags"] == [(user_id, "a", 3), (user_id, "b", 2)]
