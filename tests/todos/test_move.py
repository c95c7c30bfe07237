"""Reordering: a todo swaps with its neighbour in the list on the screen, and no todo is lost or doubled."""

import random
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import event, select, text, update

from app import create_app
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.rejection import RowNotFound
from app.todos import listing, service
from app.todos.models import UNPLACED, Todo
from config import TestingConfig
from tests.conftest import PASSWORD
from tests.databases import Environment
from tests.todos.test_list import all_pages
from tests.todos.test_list import create as create_many
from tests.visitor import Visitor


def create(user: User, count: int, *, placed: bool = True) -> list[int]:
    """Create todos and return their ids, the newest first; without places as an early release wrote them."""
    ids = create_many(user, count)
    if not placed:
        db.session.execute(update(Todo).where(Todo.id.in_(ids)).values(position=0))
        db.session.commit()
    return ids[::-1]


def listed(user: User, completed: bool | None = None) -> list[int]:
    """Return the ids of all pages."""
    return [todo.id for todo in all_pages(lambda after: listing.list_todos(user.id, after, completed=completed))]


def exchanged(ids: list[int], upper: int) -> list[int]:
    """Return the ids with the place `upper` and the one below it exchanged."""
    return [*ids[:upper], ids[upper + 1], ids[upper], *ids[upper + 2 :]]


@pytest.mark.parametrize("placed", [True, False])
def test_in_a_filtered_list_it_passes_the_todos_that_are_not_shown(alice: User, placed: bool) -> None:
    ids = create(alice, 9, placed=placed)
    for todo_id in ids[::3]:
        service.change_todo(alice.id, todo_id, completed=True)
    service.move_todo(alice.id, ids[3], up=True, completed=True)
    assert listed(alice, completed=True) == [ids[3], ids[0], ids[6]]
    assert listed(alice, completed=False) == [todo_id for number, todo_id in enumerate(ids) if number % 3]
    assert listed(alice) == [ids[3], *ids[1:3], ids[0], *ids[4:]]


def test_in_a_filtered_list_it_passes_todos_without_a_position_of_their_own(alice: User) -> None:
    ids = create(alice, 4, placed=False)
    new = service.create_todo(alice.id, "new")
    for todo_id in (new, ids[1]):
        service.change_todo(alice.id, todo_id, completed=True)
    service.move_todo(alice.id, new, up=False, completed=True)
    assert listed(alice) == [ids[1], ids[0], new, *ids[2:]]


def test_a_deleted_todo_is_passed_and_keeps_its_position(alice: User) -> None:
    ids = create(alice, 5, placed=False)
    service.delete_todo(alice.id, ids[2])
    service.move_todo(alice.id, ids[3], up=True)
    assert listed(alice) == [ids[0], ids[3], ids[1], ids[4]]
    service.restore_todo(alice.id, ids[2])
    assert listed(alice) == [ids[0], ids[3], ids[2], ids[1], ids[4]]


def test_random_moves_do_what_they_do_in_a_python_list(alice: User) -> None:
    chance = random.Random(8)  # noqa: S311 - the same moves in each run
    expected = create(alice, 8, placed=False)
    for step in range(60):
        if step % 20 == 10:
            expected.insert(0, service.create_todo(alice.id, f"new {step}"))
        todo_id, up = chance.choice(expected), chance.random() < 0.5
        service.move_todo(alice.id, todo_id, up=up)
        place = expected.index(todo_id) - up
        if 0 <= place < len(expected) - 1:
            expected = exchanged(expected, place)
        assert listed(alice) == expected, step


def test_the_first_move_writes_what_is_above_and_the_next_only_two(alice: User) -> None:
    ids = create(alice, 60, placed=False)
    written: list[int] = []
    connection = db.session.connection()

    def note(_connection: object, cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE todos"):
            written.append(cursor.rowcount)  # type: ignore[attr-defined]

    event.listen(connection, "after_cursor_execute", note)
    service.move_todo(alice.id, ids[2], up=True)
    service.move_todo(alice.id, ids[2], up=True)
    service.move_todo(alice.id, ids[0], up=False)
    assert written == [3, 2, 2, 2]


@pytest.mark.parametrize("placed", [True, False])
def test_across_the_border_of_two_pages(signed_in: Visitor, alice: User, placed: bool) -> None:
    ids = create(alice, 120, placed=placed)
    [before] = re.findall(r'href="/todos\?before=([^"]+)"', signed_in.get("/todos").text)
    answer = signed_in.submit(f"/todos/{ids[50]}/move?before={before}", direction="up")
    assert answer.location.endswith(f"#todo-{ids[50]}")
    assert listed(alice) == exchanged(ids, 49)
    shown = re.findall(r'<li id="todo-(\d+)"', signed_in.get(answer.location).text)
    assert [int(todo_id) for todo_id in shown] == [ids[50], ids[49], *ids[51:99]]  # what was moved stayed in sight
    signed_in.submit(f"/todos/{ids[50]}/move", direction="down")
    assert listed(alice) == ids


def test_at_the_ends_the_buttons_are_disabled(signed_in: Visitor, alice: User) -> None:
    ids = create(alice, 3)
    disabled = re.compile(r'id="((?:up|down)-\d+)"[^>]* disabled')
    assert disabled.findall(signed_in.get("/todos").text) == [f"up-{ids[0]}", f"down-{ids[2]}"]
    first_page = create(alice, 50)
    assert disabled.findall(signed_in.get("/todos").text) == [f"up-{first_page[0]}"]
    page = signed_in.get(f"/todos?before={first_page[-1]}-{first_page[-1]}").text
    assert disabled.findall(page) == [f"down-{ids[2]}"]


def test_a_move_places_nothing_of_anybody_else(alice: User, bob: User) -> None:
    ids, _ = create(alice, 3, placed=False), create(bob, 3, placed=False)
    service.move_todo(alice.id, ids[2], up=True)
    assert set(db.session.scalars(select(Todo.position).where(Todo.user_id == bob.id))) == {UNPLACED}


def test_concurrent_moves_lose_and_double_no_todo(migrated_environment: Environment) -> None:
    """Moves on connections of their own, beside clearing and restoring, wait for each other and never deadlock."""
    app = create_app(TestingConfig(migrated_environment))
    with app.app_context():
        user = accounts.sign_up("at@example.com", "at", PASSWORD)
        ids = create(user, 12, placed=False)
        spare = create(user, 4, placed=False)

    def act(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - the same moves in each run
        with app.app_context():
            for _ in range(10):
                service.move_todo(user.id, chance.choice(ids), up=chance.random() < 0.5)
                with suppress(RowNotFound):  # another of the four cleared it
                    service.change_todo(user.id, chance.choice(spare), completed=True)
                service.clear_completed(user.id)
                service.restore_todo(user.id, chance.choice(spare))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(act, range(4)))
    with app.app_context():
        for todo_id in spare:
            service.restore_todo(user.id, todo_id)
        assert sorted(listed(user)) == sorted(ids + spare)
        positions = db.session.execute(text("SELECT position FROM todos WHERE position <> 0")).scalars().all()
        assert len(set(positions)) == len(positions)


def test_a_cursor_follows_its_todo_to_its_first_position() -> None:
    for key, lowest, after in [
        ((UNPLACED, 7), None, (UNPLACED, 7)),  # nothing got its first position
        ((UNPLACED, 7), 8, (UNPLACED, 7)),  # the cursor's todo did not
        ((UNPLACED, 7), 7, (7, 7)),
        ((UNPLACED, 7), 6, (7, 7)),
        ((5, 7), 6, (5, 7)),  # it had one before
    ]:
        assert service.cursor_after_move(Cursor(key), lowest) == Cursor(after), (key, lowest, after)


@pytest.mark.parametrize("placed", [True, False])
def test_dragged_it_takes_anothers_place_and_moves_those_between(signed_in: Visitor, alice: User, placed: bool) -> None:
    expected = create(alice, 5, placed=placed)
    for start, end in [(3, 3), (1, 2), (0, 4), (4, 0)]:
        assert signed_in.submit(f"/todos/{expected[start]}/move", onto=f"{expected[end]}").status_code == 302
        expected.insert(end, expected.pop(start))
        assert listed(alice) == expected


def test_dragged_among_the_open_ones_it_leaves_the_done_ones_where_they_are(alice: User) -> None:
    ids = create(alice, 7)
    for todo_id in ids[1::2]:
        service.change_todo(alice.id, todo_id, completed=True)
    service.place_todo(alice.id, ids[0], ids[6], completed=False)
    assert listed(alice) == [ids[2], ids[1], ids[4], ids[3], ids[6], ids[5], ids[0]]
    service.place_todo(alice.id, ids[0], ids[2], completed=False)
    assert listed(alice) == ids


def test_nothing_moves_onto_what_is_not_there_nor_in_another_direction_and_nothing_of_anybody_else(
    signed_in: Visitor, alice: User, bob: User
) -> None:
    ids, foreign, [deleted] = create(alice, 3), create(bob, 2), create(alice, 1)
    service.delete_todo(alice.id, deleted)
    for fields in ({}, {"direction": ""}, {"direction": "UP"}):
        assert signed_in.submit(f"/todos/{ids[1]}/move", **fields).status_code == 422, fields
    for onto in ("0", "9000000000", "x", "", "-1", "9" * 19, f"{foreign[0]}", f"{deleted}"):
        assert signed_in.submit(f"/todos/{ids[0]}/move", onto=onto).status_code in (404, 422), onto
    for onto in (f"{foreign[1]}", f"{ids[0]}"):
        assert signed_in.submit(f"/todos/{foreign[0]}/move", onto=onto).status_code == 404, onto
    assert (listed(alice), listed(bob)) == (ids, foreign)


def test_farther_than_two_pages_is_refused(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User) -> None:
    monkeypatch.setattr(service, "FARTHEST", 3)
    ids = create(alice, 5)
    assert signed_in.submit(f"/todos/{ids[0]}/move", onto=f"{ids[3]}").status_code == 422
    assert listed(alice) == ids
    assert signed_in.submit(f"/todos/{ids[0]}/move", onto=f"{ids[2]}").status_code == 302
    assert listed(alice) == [ids[1], ids[2], ids[0], ids[3], ids[4]]


@pytest.mark.parametrize("gesture", ["onto", "direction"])
def test_among_the_open_ones_it_passes_any_number_of_done_ones_and_these_stay(
    monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, alice: User, gesture: str
) -> None:
    monkeypatch.setattr(service, "FARTHEST", 3)
    ids = create(alice, 6)
    for todo_id in ids[1:5]:
        service.change_todo(alice.id, todo_id, completed=True)
    where = {"onto": f"{ids[5]}", "direction": "down"}[gesture]
    assert signed_in.submit(f"/todos/{ids[0]}/move?show=open", **{gesture: where}).status_code == 302
    assert listed(alice) == [ids[5], *ids[1:5], ids[0]]
