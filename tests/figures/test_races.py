"""Figures stay right whoever writes at the same moment, and nobody waits for another in a circle (deadlock)."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import select, text

from app import create_app
from app.accounts import service as accounts
from app.accounts.service import AccountGone
from app.extensions import db
from app.figures import check_figures
from app.notes import selection, service
from app.notes.models import Note
from app.notes.portable import NOTES
from app.notes.service import StaleVersion, archive_note
from app.notes.texts import tags_of
from app.rejection import RowNotFound
from app.todos import service as todos
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.database import commit
from tests.databases import Environment
from tests.figures.counts import counted, kept
from tests.waiting import somebody_waits, wait_until

Actions = Callable[[random.Random, int], list[Callable[[], object]]]

THREADS = 20
ROUNDS = 8  # of each thread
PEOPLE = 3
ITEM = {
    "title": "", "content": "#a #imported", "tags": [], "pinned": False, "deleted_at": None,
    "created_at": "2026-03-01T09:00:00+00:00", "updated_at": "2026-03-01T09:00:00+00:00",
}  # fmt: skip
NOT_THERE_ANY_MORE = (RowNotFound, StaleVersion, RowNotFound, AccountGone)
DUE = text("UPDATE users SET figures_counted_at = now() - interval '1 day' WHERE id = :id")
EXPIRED = text("UPDATE notes SET deleted_at = deleted_at - interval '40 days' WHERE id = :id")


@pytest.fixture
def crowded(migrated_environment: Environment) -> Iterator[Flask]:
    """Yield an application, in its context, with a connection for each thread."""
    app = create_app(TestingConfig({**migrated_environment, "WEB_THREADS": str(THREADS + 1)}))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


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
    commit(DUE, {"id": user_id})
    check_figures(0)


def one_of(chance: random.Random, table: str, user_id: int) -> int:
    ids = db.session.scalars(text(f"SELECT id FROM {table} WHERE user_id = :owner"), {"owner": user_id}).all()
    db.session.commit()
    return int(chance.choice(ids)) if ids else 0


def imports(user_id: int) -> None:
    """Import two lists, and so several statements of one transaction, as app/portability/service.py has it."""
    accounts.lock_user(user_id)
    NOTES.load(user_id, [ITEM] * 3)
    NOTES.load(user_id, [{**ITEM, "content": "#f #b", "title": str(random.random())}])  # noqa: S311
    db.session.commit()


def acts(app: Flask, seed: int, people: list[int], what: Actions = everything) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    with app.app_context():
        for _ in range(ROUNDS):
            with suppress(*NOT_THERE_ANY_MORE):
                chance.choice(what(chance, chance.choice(people)))()
            db.session.rollback()
        db.session.remove()


def test_whatever_people_do_at_the_same_moment_the_figures_are_what_is_counted(crowded: Flask) -> None:
    people = [accounts.sign_up(f"{n}@example.com", f"n{n}", PASSWORD).id for n in range(PEOPLE)]
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda seed: acts(crowded, seed, people), range(THREADS)))
    assert kept() == counted()
    assert sum(row[2] for row in kept()["figures"]) > 0


def test_several_notes_of_one_person_at_once_wait_for_nobody_in_a_circle_and_lose_no_tag(crowded: Flask) -> None:
    alice = [accounts.sign_up("alice@example.com", "alice", PASSWORD).id]
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda seed: acts(crowded, seed, alice, several_at_once), range(2 * THREADS)))
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
