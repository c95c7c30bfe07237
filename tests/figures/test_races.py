"""Figures stay right whoever writes at the same moment, and nobody waits for another in a circle (deadlock)."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

from flask import Flask
from sqlalchemy import text

from app.accounts import service as accounts
from app.accounts.service import AccountGone
from app.extensions import db
from app.figures.check import check_figures
from app.notes import portable, service
from app.notes.service import NoteNotFound, StaleVersion
from app.todos import service as todos
from app.todos.service import TodoNotFound
from tests.conftest import PASSWORD
from tests.figures.counts import counted, kept

THREADS = 10
ROUNDS = 12  # of each thread
PEOPLE = 3
ITEM = {
    "title": "", "content": "#a #imported", "tags": [], "pinned": False, "deleted_at": None,
    "created_at": "2026-03-01T09:00:00+00:00", "updated_at": "2026-03-01T09:00:00+00:00",
}  # fmt: skip
NOT_THERE_ANY_MORE = (NoteNotFound, StaleVersion, TodoNotFound, AccountGone)
DUE = text("UPDATE users SET figures_counted_at = now() - interval '1 day'")
EXPIRED = text("UPDATE notes SET deleted_at = deleted_at - interval '40 days' WHERE id % 3 = 0")


def everything(chance: random.Random, user_id: int) -> list[Callable[[], object]]:
    """What a person can do, and what is done at night."""
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
        lambda: service.empty_trash(user_id),
        lambda: in_one_transaction(EXPIRED),
        service.purge_deleted_notes,
        lambda: imports(user_id),
        lambda: todos.create_todo(user_id, "one"),
        lambda: todos.change_todo(user_id, todo, completed=True),
        lambda: todos.clear_completed(user_id),
        check_all,
    ]


def check_all() -> None:
    in_one_transaction(DUE)
    check_figures()


def one_of(chance: random.Random, table: str, user_id: int) -> int:
    ids = db.session.scalars(text(f"SELECT id FROM {table} WHERE user_id = :owner"), {"owner": user_id}).all()
    db.session.commit()
    return int(chance.choice(ids)) if ids else 0


def in_one_transaction(statement: object) -> None:
    db.session.execute(statement)  # type: ignore[call-overload]
    db.session.commit()


def imports(user_id: int) -> None:
    """Two lists, and so several statements of one transaction, as app/portability/importing.py has it."""
    accounts.lock_user(user_id)
    portable.load(user_id, [ITEM] * 3)
    portable.load(user_id, [{**ITEM, "content": "#f #b", "title": str(random.random())}])  # noqa: S311
    db.session.commit()


def acts(app: Flask, seed: int, people: list[int]) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    with app.app_context():
        for _ in range(ROUNDS):
            with suppress(*NOT_THERE_ANY_MORE):
                chance.choice(everything(chance, chance.choice(people)))()
            db.session.rollback()
        db.session.remove()


def test_whatever_people_do_at_the_same_moment_the_figures_are_what_is_counted(migrated: Flask) -> None:
    people = [accounts.sign_up(f"{n}@example.com", f"n{n}", PASSWORD).id for n in range(PEOPLE)]
    with ThreadPoolExecutor(THREADS) as threads:
        for done in [threads.submit(acts, migrated, seed, people) for seed in range(THREADS)]:
            done.result()
    assert kept() == counted()
    assert sum(row[2] for row in kept()["figures"]) > 0


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
        in_one_transaction(text("DELETE FROM users WHERE id = (SELECT min(id) FROM users)"))
        for done in writing:
            done.result()
    assert kept() == counted()
    assert people[0] not in {row[0] for rows in kept().values() for row in rows}


def test_counting_while_somebody_writes_counts_nothing_twice_and_leaves_nothing_out(migrated: Flask) -> None:
    """As revision 0029 does it: the writer has stored its note, and commits after the count has begun."""
    user_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    service.create_note(user_id, "", "#a")
    in_one_transaction(text("DELETE FROM figures"))  # as before anybody has counted
    recount = text("SELECT recount_figures(:owner)")
    insert = text("INSERT INTO notes (user_id, title, content, tags) VALUES (:owner, '', 'x', '{a,b}')")
    with db.engine.connect() as writer, db.engine.connect() as counter, ThreadPoolExecutor(1) as threads:
        writer.execute(insert, {"owner": user_id})
        counting = threads.submit(counter.scalar, recount, {"owner": user_id})
        while not db.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            db.session.rollback()
        assert not counting.done()
        writer.commit()
        counting.result()
        counter.commit()
        writer.execute(insert, {"owner": user_id})
        writer.commit()
    assert kept() == counted()
    assert kept()["tags"] == [(user_id, "a", 3), (user_id, "b", 2)]
