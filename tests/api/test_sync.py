"""A program that keeps a copy has what the table has: nothing is missed that commits late, is deleted for good, or was
written by the release before.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Condition
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update

from app import sync
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.limits.rate_limits import ProcessBuckets
from app.notes import selection
from app.notes import service as notes
from app.notes.models import Note
from app.sync import PAGE_SIZE, Deletion
from app.todos import service as todos
from app.todos.models import Todo
from tests.api.conftest import Program, pointers, program_of
from tests.conftest import PASSWORD
from tests.database import commit
from tests.databases import Environment
from tests.waiting import wait_for_transactions

KINDS = {"notes": "content", "todos": "description"}
MANY = {
    "notes": "INSERT INTO notes (user_id, title, content, pinned)"
    " SELECT :id, '', 'x', n % 3 = 0 FROM generate_series(1, 250) n",
    "todos": "INSERT INTO todos (user_id, description) SELECT :id, 'x' FROM generate_series(1, 250)",
}


class Copy:
    """Keep a copy as the loop of docs/api.md does."""

    def __init__(self, program: Program, kind: str, since: str | None = None) -> None:
        self.program, self.kind, self.since = program, kind, since
        self.rows: dict[int, Any] = {}
        self.given: list[tuple[int, int | None]] = []  # what came, by id and version
        self.last: list[int] = []  # the ids of the last time

    def sync(self, *, waiting: bool = True) -> "Copy":
        if waiting:
            wait_for_transactions()
        before, more = len(self.given), True
        while more:
            query = f"?updated_since={self.since}" if self.since else ""
            page = self.program.get(f"/{self.kind}/changes{query}").json
            self.rows |= {row["id"]: row for row in page[self.kind]}
            self.given += [(row["id"], row["version"]) for row in page[self.kind]]
            for row_id in page["gone"]:
                self.rows.pop(row_id, None)
                self.given.append((row_id, None))
            self.since, more = page["next"], page["more"]
        self.last = [row_id for row_id, _ in self.given[before:]]
        return self

    def is_whole(self) -> bool:
        """Tell if it has each row of the table in its version, and what came last as the API answers it."""
        stored = {row.id: row.version for row in db.session.execute(text(f"SELECT id, version FROM {self.kind}"))}
        kept = (row_id for row_id in self.last[-5:] if row_id in self.rows)
        alike = [self.program.get(f"/{self.kind}/{row_id}") for row_id in kept]
        return {row_id: row["version"] for row_id, row in self.rows.items()} == stored and all(
            answer.json == self.rows[answer.json["id"]] for answer in alike if answer.status_code == 200
        )


@pytest.fixture
def alice_id(migrated: Flask) -> int:
    return accounts.sign_up("alice@example.com", "alice", PASSWORD).id


@pytest.fixture
def committed(migrated: Flask, alice_id: int) -> Program:
    """Return Alice's program in a database where commits stay: a transaction never has what it changed itself."""
    return program_of(migrated, db.session.get_one(User, alice_id))


Step = Callable[[int, int], object]


def in_turn(*steps: Step) -> Step:
    return lambda user_id, row_id: [step(user_id, row_id) for step in steps]


def by_sql(statement: str) -> Step:
    return lambda _user_id, row_id: commit(text(f"{statement} WHERE id = :id"), {"id": row_id})


def pin(pinned: bool) -> Step:
    return lambda user, row: notes.pin_note(user, row, pinned=pinned)


def archive(archived: bool) -> Step:
    return lambda user, row: notes.archive_note(user, row, archived=archived)


def tick(completed: bool) -> Step:
    return lambda user, row: todos.change_todo(user, row, completed=completed)


def clear_and_restore(user_id: int, _row_id: int) -> None:
    todos.restore_cleared(user_id, todos.clear_completed(user_id)[0])


OLD = "UPDATE {} SET deleted_at = now() - interval '31 days'"
FOR_GOOD = in_turn(notes.delete_note, notes.delete_note_for_good)
GONE, NOTHING = "it is gone", "nothing comes"
# A change of the first of three rows, and by how many versions it goes on.
HAPPENS: dict[str, tuple[str, Step, int | str]] = {
    "pin": ("notes", pin(True), 1),
    "pin in the list": ("notes", lambda user, row: selection.pin_notes(user, [row], pinned=True), 1),
    "archive in the list": ("notes", lambda user, row: selection.put_away(user, [row], "archive"), 1),
    "edit": ("notes", lambda user, row: notes.update_note(user, row, "", "new", 1), 1),
    "archive and take out": ("notes", in_turn(archive(True), archive(False)), 2),
    "delete": ("notes", notes.delete_note, 1),
    "delete and restore": ("notes", in_turn(notes.delete_note, notes.restore_note), 2),
    "delete for good": ("notes", FOR_GOOD, GONE),
    "empty the trash": ("notes", in_turn(notes.delete_note, lambda user, _: notes.empty_trash(user)), GONE),
    "purge": ("notes", in_turn(by_sql(OLD.format("notes")), lambda *_: notes.purge_deleted_notes(0)), GONE),
    "pin by the release before": ("notes", by_sql("UPDATE notes SET pinned = true"), 0),
    "edit by the release before": ("notes", by_sql("UPDATE notes SET content = 'x', version = version + 1"), 1),
    "tick a todo": ("todos", tick(True), 1),
    "move a todo": ("todos", lambda user, row: todos.move_todo(user, row, up=True), 1),
    "delete a todo": ("todos", todos.delete_todo, 1),
    "clear todos and restore them": ("todos", in_turn(tick(True), clear_and_restore), 3),
    "purge a todo": ("todos", in_turn(by_sql(OLD.format("todos")), lambda *_: todos.purge_deleted_todos(0)), GONE),
    "date a todo by the release before": ("todos", by_sql("UPDATE todos SET due_on = '2026-12-01'"), 1),
    "unpin what is not pinned": ("notes", pin(False), NOTHING),
    "take out what is not in the archive": ("notes", archive(False), NOTHING),
    "fill another column": ("notes", by_sql("UPDATE notes SET idempotency_key = gen_random_uuid()"), NOTHING),
    "open what is open": ("todos", tick(False), NOTHING),
    "restore what is there": ("todos", todos.restore_todo, NOTHING),
    "fill another column of todos": ("todos", by_sql("UPDATE todos SET idempotency_key = gen_random_uuid()"), NOTHING),
}


def three_rows(user_id: int, kind: str) -> list[int]:
    if kind == "todos":
        return [todos.create_todo(user_id, "do") for _ in range(3)]
    return [notes.create_note(user_id, "", "text") for _ in range(3)]


def test_each_change_comes_once_with_its_version_and_nothing_else_comes(committed: Program, alice_id: int) -> None:
    for name, (kind, happens, versions) in HAPPENS.items():
        first, *_others = three_rows(alice_id, kind)
        copy = Copy(committed, kind).sync()
        before = copy.rows[first]["version"]
        happens(alice_id, first)
        copy.sync()
        assert (first in copy.last, first not in copy.rows) == (versions != NOTHING, versions == GONE), name
        assert versions in (GONE, NOTHING) or copy.rows[first]["version"] == before + versions, name
        assert copy.is_whole(), name
        assert copy.sync().last == [], name


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_come_first_once_also_those_of_before_the_revision(
    committed: Program, alice_id: int, kind: str
) -> None:
    commit(text(MANY[kind]), {"id": alice_id})
    commit(text(f"UPDATE {kind} SET changed = NULL, changed_at = NULL WHERE id % 2 = 0"))
    copy = Copy(committed, kind).sync()
    assert len(copy.last) == len(set(copy.last)) == 250
    assert copy.is_whole()


def test_what_changes_its_place_while_all_rows_are_read_comes_at_last(committed: Program, alice_id: int) -> None:
    commit(text(MANY["notes"]), {"id": alice_id})
    first = committed.get("/notes/changes").json
    assert (len(first["notes"]), first["more"]) == (PAGE_SIZE, True)
    notes.pin_note(alice_id, db.session.scalars(select(func.max(Note.id)).where(Note.pinned)).one(), pinned=False)
    FOR_GOOD(alice_id, first["notes"][0]["id"])
    copy = Copy(committed, "notes", first["next"])
    copy.rows = {row["id"]: row for row in first["notes"]}
    assert copy.sync().is_whole()


@pytest.fixture
def other(migrated_environment: Environment) -> Iterator[psycopg.Connection[Any]]:
    """Yield a writer of its own, in a transaction until it commits."""
    with psycopg.connect(url_of(migrated_environment)) as connection:
        yield connection


def url_of(environment: Environment) -> str:
    return environment["DATABASE_URL"].replace("+psycopg2", "")


@pytest.mark.parametrize("ends", ["commit", "rollback"])
@pytest.mark.parametrize("late", ["UPDATE {} SET deleted_at = now() WHERE id = {}", "DELETE FROM {} WHERE id = {}"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_that_commits_behind_a_later_one_comes_late_and_is_not_lost(
    committed: Program, alice_id: int, other: psycopg.Connection[Any], kind: str, late: str, ends: str
) -> None:
    first, second, _third = three_rows(alice_id, kind)
    copy = Copy(committed, kind).sync()
    other.execute(late.format(kind, first))
    commit(text(f"UPDATE {kind} SET {KINDS[kind]} = 'later' WHERE id = {second}"))
    assert copy.sync(waiting=False).last == []  # it waits for the one that began before it
    getattr(other, ends)()
    assert sorted(copy.sync().last) == ([first, second] if ends == "commit" else [second])
    assert copy.is_whole()


class Storm:
    """Let twenty write, each change a transaction: some wait with the commit until somebody reads, some roll back."""

    WRITERS, EACH = 20, 100
    CHANGES = (
        "UPDATE notes SET content = content || 'x', version = version + 1 WHERE id = %(row)s",
        "UPDATE todos SET description = description || 'x' WHERE id = %(row)s",
        "UPDATE notes SET pinned = NOT pinned, version = version + 1 WHERE id = %(row)s",
        "UPDATE todos SET completed = NOT completed WHERE id = %(row)s",
        *("DELETE FROM notes WHERE id = %(row)s", "DELETE FROM todos WHERE id = %(row)s"),
        "INSERT INTO notes (user_id, title, content) VALUES (%(user)s, '', 'x')",
        "INSERT INTO todos (user_id, description) VALUES (%(user)s, 'x')",
    )

    def __init__(self, url: str, user_id: int) -> None:
        self.url, self.user_id = url, user_id
        self.reads, self.read = 0, Condition()

    def somebody_has_read(self) -> None:
        with self.read:
            self.reads += 1
            self.read.notify_all()

    def wait(self) -> None:
        with self.read:
            seen = self.reads
            assert self.read.wait_for(lambda: self.reads > seen, timeout=60)

    def write(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - of a test
        with psycopg.connect(self.url) as connection:
            for _ in range(self.EACH):
                change = chance.choices(self.CHANGES, (6, 6, 4, 4, 1, 1, 6, 6))[0]
                connection.execute(change, {"user": self.user_id, "row": chance.randint(1, 300)})
                if chance.random() < 0.2 and "||" in change:
                    self.wait()
                (connection.rollback if chance.random() < 0.1 else connection.commit)()


def test_a_copy_that_is_kept_while_twenty_write_ends_as_the_table(
    migrated: Flask, migrated_environment: Environment, committed: Program, alice_id: int
) -> None:
    storm = Storm(url_of(migrated_environment), alice_id)
    copies = [Copy(committed, kind) for kind in KINDS]
    for copy in copies:
        commit(text(MANY[copy.kind]), {"id": alice_id})
        copy.sync()
    with ThreadPoolExecutor(storm.WRITERS) as pool:
        writers = [pool.submit(storm.write, number) for number in range(storm.WRITERS)]
        while not all(writer.done() for writer in writers):
            migrated.extensions.update(reads=ProcessBuckets())  # it asks more often than one may
            for copy in copies:
                copy.sync(waiting=False)
            storm.somebody_has_read()
        assert [writer.result() for writer in writers] == [None] * storm.WRITERS
    for copy in copies:
        assert copy.sync().is_whole(), copy.kind
        assert len(copy.given) == len(set(copy.given)) > 500, copy.kind  # no change came twice


def restored() -> None:
    """Do as a restore does: it writes the mark anew."""
    mark = db.session.scalar(select(sync.DatabaseMark.xid))
    db.session.execute(delete(sync.DatabaseMark))
    commit(text("INSERT INTO database_marks (id, xid) VALUES (1, :xid)"), {"xid": mark})


def put_back(copy: Copy) -> None:
    """Hold a cursor of a transaction that this database has not reached, as after a recovery to an earlier moment."""
    numbers = str(copy.since).partition(".")[0].split("-")
    copy.since = str(copy.since).replace(numbers[3], str(2**62))


EXPIRES: dict[str, Callable[[Copy, pytest.MonkeyPatch], object]] = {
    "a restored backup": lambda _copy, _patch: restored(),
    "a recovery to an earlier moment": lambda copy, _patch: put_back(copy),
    "too old": lambda _copy, patch: patch.setattr(sync, "CURSOR_HOLDS", timedelta(seconds=-1)),
}


@pytest.mark.parametrize("reason", EXPIRES)
def test_a_cursor_that_cannot_be_followed_is_410_and_the_copy_starts_again(
    committed: Program, alice_id: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = three_rows(alice_id, "notes")
    copy = Copy(committed, "notes").sync()
    with monkeypatch.context() as patch:
        EXPIRES[reason](copy, patch)
        answer = committed.get(f"/notes/changes?updated_since={copy.since}")
    assert (answer.status_code, "without updated_since" in answer.json["detail"]) == (410, True)
    commit(text(f"UPDATE notes SET changed = {2**62} WHERE id = {ids[0]}"))  # as the other database counted
    anew = Copy(committed, "notes").sync()
    assert anew.last == ids
    notes.pin_note(alice_id, ids[0], pinned=True)
    assert anew.sync().last == ids[:1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_cursor_of_this_list_and_person_is_422(app: Flask, alice: User, bob: User, kind: str) -> None:
    program, other = program_of(app, alice), "todos" if kind == "notes" else "notes"
    mine = program.get(f"/{kind}/changes").json["next"]
    wrong = [
        *("", "0", "x", "2026-11-28", "2026-11-28T00:00:00Z", "null", mine[1:], f"{mine}0", mine.partition(".")[0]),
        *(program.get(f"/{other}/changes").json["next"], program_of(app, bob).get(f"/{kind}/changes").json["next"]),
        *(mine.replace("-0-0.", f"-{part}.") for part in ("3-0", "0--1", f"0-{2**63}", "0-00", "0-0-0")),
    ]
    for cursor in wrong:
        answer = program.get(f"/{kind}/changes?updated_since={cursor}")
        assert (answer.status_code, pointers(answer)) == (422, ["updated_since"]), cursor
    assert program_of(app, alice, f"{other}:read").get(f"/{kind}/changes").status_code == 403


def test_what_nobody_can_restore_any_more_is_gone_before_it_is_purged(program: Program, alice: User) -> None:
    ids = {"notes": notes.create_note(alice.id, "", "x"), "todos": todos.create_todo(alice.id, "x")}
    for kind, days, is_gone in (("notes", 29, False), ("notes", 30, True), ("todos", 0, False), ("todos", 1, True)):
        commit(text(f"UPDATE {kind} SET deleted_at = now() - interval '{days} days'"))
        page = program.get(f"/{kind}/changes").json
        assert (page["gone"], page[kind] == []) == ([ids[kind]] if is_gone else [], is_gone), (kind, days)


def test_deletions_are_forgotten_in_time_and_go_with_the_account(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        three_rows(user.id, "todos")
        FOR_GOOD(user.id, notes.create_note(user.id, "", "x"))
    commit(delete(Todo))
    kept = select(Deletion.kind, func.count()).group_by(Deletion.kind).order_by(Deletion.kind)
    assert db.session.execute(kept).all() == [("notes", 2), ("todos", 6)]
    three_rows(bob.id, "notes")
    commit(delete(User).where(User.id == bob.id))
    assert db.session.execute(kept).all() == [("notes", 1), ("todos", 3)]
    commit(update(Deletion).where(Deletion.kind == "todos").values(deleted_at=func.now() - sync.DELETIONS_KEPT))
    sync.purge_deletions(0)
    assert db.session.execute(kept).all() == [("notes", 1)]
