"""The list: newest first, filtered by open or done, 50 a page, with keyset pagination: none twice and none left out."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import insert, update

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.todos import listing, service
from app.todos.models import Todo
from tests.visitor import Visitor

MIN = -(2**63)

LABELS = {"tick": "Complete", "edit": "Edit", "more": "More", "up": "Move up", "down": "Move down", "delete": "Delete"}


def create(user: User, count: int) -> list[int]:
    """Create todos as the service does, and return their ids, the newest last."""
    rows = [{"user_id": user.id, "description": f"{number}"} for number in range(count)]
    ids = [*db.session.scalars(insert(Todo).returning(Todo.id, sort_by_parameter_order=True), rows)]
    db.session.execute(update(Todo).where(Todo.id.in_(ids)).values(position=Todo.id))
    db.session.commit()
    return ids


def all_pages(read: Callable[[Cursor], listing.TodoPage]) -> list[service.TodoRow]:
    """Return the todos of all pages."""
    page = read(listing.START)
    found = [*page.todos]
    while page.older:
        page = read(page.older)
        found += page.todos
    return found


def descriptions_of_all_pages(user: User, completed: bool | None = None) -> list[str]:
    found = all_pages(lambda after: listing.list_todos(user.id, after, completed=completed))
    return [todo.description for todo in found]


@pytest.mark.parametrize("count", [50, 105])
def test_the_pages_hold_every_todo_once_the_newest_first(alice: User, count: int) -> None:
    create(alice, count)
    assert descriptions_of_all_pages(alice) == [f"{number}" for number in reversed(range(count))]


def test_the_open_and_the_done_ones_have_pages_of_their_own(alice: User) -> None:
    ids = create(alice, 110)
    db.session.execute(update(Todo).where(Todo.id.in_(ids[::2])).values(completed=True))
    for completed in (True, False):
        expected = [f"{number}" for number in reversed(range(110)) if (number % 2 == 0) == completed]
        assert descriptions_of_all_pages(alice, completed) == expected


def test_a_higher_position_stands_higher_across_pages(alice: User) -> None:
    for number, todo_id in enumerate(create(alice, 105)):
        position = {0: 2**63 - 1, 104: MIN}.get(number, number % 3 - 1)
        db.session.execute(update(Todo).where(Todo.id == todo_id).values(position=position))
    db.session.commit()
    between = sorted(range(1, 104), key=lambda number: (number % 3, number), reverse=True)
    assert descriptions_of_all_pages(alice) == [f"{number}" for number in (0, *between, 104)]


def test_what_changes_between_two_pages_shifts_nothing(alice: User) -> None:
    ids = create(alice, 60)
    first = listing.list_todos(alice.id)
    service.create_todo(alice.id, "new")
    service.change_todo(alice.id, ids[30], completed=True)
    service.delete_todo(alice.id, ids[10])  # the last of the first page
    assert first.older
    second = listing.list_todos(alice.id, first.older)
    assert [todo.description for todo in second.todos] == [f"{number}" for number in reversed(range(10))]


def test_done_ones_are_folded_below_the_open_ones_and_a_few_at_most(signed_in: Visitor, alice: User) -> None:
    for todo_id in create(alice, 12):
        service.change_todo(alice.id, todo_id, completed=True)
    service.create_todo(alice.id, "is open")
    listed, _, folded = signed_in.get("/todos").text.partition('<details class="done-ones"')
    assert (listed.count('class="done"'), folded.count('class="done"')) == (0, 10)
    assert "is open" in listed
    assert 'href="/todos?show=done"' in folded
    assert " open>" not in folded.partition(">")[0] + ">"
    assert "done-ones" not in signed_in.get("/todos?before=0-1").text


def test_what_was_done_last_is_the_first_below_wherever_it_stands_in_the_list(alice: User) -> None:
    done_at = [datetime(2026, 11, day, tzinfo=UTC) for day in (24, 1, 23)]
    ids = create(alice, 16)
    for todo_id, moment in zip(ids, [*done_at, *[None] * 12], strict=False):  # the last one is open
        db.session.execute(update(Todo).where(Todo.id == todo_id).values(completed=True, completed_at=moment))
    first, second, third, *others = [todo.id for todo in listing.list_latest_done(alice.id)]
    assert (first, second, third) == (ids[0], ids[2], ids[1])
    assert others == ids[14:7:-1]  # done before the time of that was noted
    assert len(others) == listing.DONE_BELOW - 3


def test_show_older_leads_on_within_what_is_shown(signed_in: Visitor, alice: User) -> None:
    done = service.create_todo(alice.id, "one that is done")
    service.change_todo(alice.id, done, completed=True)
    service.create_todo(alice.id, "the oldest that is open")
    create(alice, 50)
    page = signed_in.get("/todos?show=open").text
    assert "the oldest that is open" not in page
    match = re.search(r'href="(/todos\?show=open&amp;before=[^"]+)"', page)
    assert match
    older = signed_in.get(match[1].replace("&amp;", "&")).text
    assert "the oldest that is open" in older
    assert "one that is done" not in older


def test_what_is_shown(signed_in: Visitor, alice: User) -> None:
    service.create_todo(alice.id, "is open")
    service.change_todo(alice.id, service.create_todo(alice.id, "is done"), completed=True)
    both = ["is open", "is done"]
    for show, names in {"": both, "?show=open": both, "?show=done": ["is done"], "?show=today": []}.items():
        page = signed_in.get(f"/todos{show}").text.partition('id="todos"')[2]
        assert [name for name in both if f">{name}</bdi>" in page] == names
        assert page.count('aria-current="page"') == 1
        assert "2 left" not in page


def test_a_cursor_of_another_list_or_none_at_all_is_400(signed_in: Visitor) -> None:
    for before in ["", "x", "1", "0-0", f"{MIN - 1}-1", "0-1-1"]:
        assert signed_in.get("/todos", query_string={"before": before}).status_code == 400, before
    for before in (f"{MIN}-1", f"{2**63 - 1}-{2**63 - 1}"):
        assert signed_in.get(f"/todos?before={before}").status_code == 200, before


def test_each_button_is_labelled_with_its_todo(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "books")
    page = signed_in.get("/todos").text
    assert f'<bdi id="what-{todo_id}">books</bdi>' in page
    for name, label in LABELS.items():
        assert f'aria-labelledby="{name} what-{todo_id}"' in page
        assert f'<span id="{name}">{label}:</span>' in page
    assert f'aria-pressed="false" aria-labelledby="tick what-{todo_id}"' in page
    service.change_todo(alice.id, todo_id, completed=True)
    assert f'aria-pressed="true" aria-labelledby="tick what-{todo_id}"' in signed_in.get("/todos").text


def test_the_number_left_counts_the_open_ones_of_all_pages(signed_in: Visitor, alice: User, bob: User) -> None:
    ids = create(alice, 61)
    db.session.execute(update(Todo).where(Todo.id.in_(ids[:4])).values(completed=True))
    service.delete_todo(alice.id, ids[-1])
    create(bob, 3)
    for query in ("", "?show=open", "?show=done", "?before=0-1", "?sort=due"):
        assert "56 left" in signed_in.get(f"/todos{query}").text


EMPTY = [
    ("", "Write down your first todo.", "#description"),
    ("?show=today", "Nothing due today.", "/todos"),
    ("?show=done", "No completed todos.", "/todos"),
    ("?before=0-1", "No older todos.", "/todos"),
    ("?show=done&before=0-1", "No older todos.", "/todos?show=done"),
]


def test_an_empty_list_offers_one_action(signed_in: Visitor) -> None:
    for query, sentence, action in EMPTY:
        page = signed_in.get(f"/todos{query}").text
        [empty] = re.findall(r'<div class="empty">.*?</div>', page, re.DOTALL)
        assert sentence in empty, (query, sentence, action)
        assert re.findall(r'<a class="button" href="([^"]+)"', empty) == [action], (query, sentence, action)


def test_a_page_of_twenty_todos_weighs_less_than_10_kb(signed_in: Visitor, alice: User) -> None:
    for number in range(20):
        service.create_todo(alice.id, f"관리사무소에 엘리베이터 예약하기 {number}", date(2026, 11, 21))
    assert len(gzip.compress(signed_in.get("/todos").data)) <= 10_240
