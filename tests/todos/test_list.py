"""The list: newest first, all or the open or the done ones, 50 a page, and none twice or left out on the way down."""

import re

import pytest
from flask import Flask
from sqlalchemy import Select, text, update

from app.accounts.models import User
from app.extensions import db
from app.todos import service
from app.todos.models import Todo
from tests.conftest import browser_of
from tests.visitor import Visitor

MIN = -(2**63)


def create(user: User, count: int) -> list[int]:
    return [service.create_todo(user.id, f"{number}") for number in range(count)]


def descriptions_of_all_pages(user: User, completed: bool | None = None) -> list[str]:
    descriptions: list[str] = []
    page = service.list_todos(user.id, completed=completed)
    while page.older:
        descriptions += [todo.description for todo in page.todos]
        page = service.list_todos(user.id, page.older, completed=completed)
    return descriptions + [todo.description for todo in page.todos]


@pytest.mark.parametrize("count", [0, 1, 3, 50, 51, 100, 105])
def test_the_pages_hold_every_todo_once_the_newest_first(alice: User, count: int) -> None:
    create(alice, count)
    assert descriptions_of_all_pages(alice) == [f"{number}" for number in reversed(range(count))]


@pytest.mark.parametrize("completed", [True, False])
def test_the_open_and_the_done_ones_have_pages_of_their_own(alice: User, completed: bool) -> None:
    for number, todo_id in enumerate(create(alice, 110)):
        service.change_todo(alice.id, todo_id, completed=number % 2 == 0)
    expected = [f"{number}" for number in reversed(range(110)) if (number % 2 == 0) == completed]
    assert descriptions_of_all_pages(alice, completed) == expected


def test_a_higher_position_stands_higher_across_pages(alice: User) -> None:
    for number, todo_id in enumerate(create(alice, 105)):
        position = {0: 2**63 - 1, 104: MIN}.get(number, number % 3 - 1)
        db.session.execute(update(Todo).where(Todo.id == todo_id).values(position=position))
    db.session.commit()
    between = sorted(range(1, 104), key=lambda number: (number % 3, number), reverse=True)
    assert descriptions_of_all_pages(alice) == [f"{number}" for number in (0, *between, 104)]


def test_a_todo_written_or_done_while_one_reads_shifts_nothing(alice: User) -> None:
    ids = create(alice, 60)
    first = service.list_todos(alice.id)
    service.create_todo(alice.id, "new")
    service.change_todo(alice.id, ids[30], completed=True)
    service.delete_todo(alice.id, ids[10])  # the last of the first page
    assert first.older
    second = service.list_todos(alice.id, first.older)
    assert [todo.description for todo in second.todos] == [f"{number}" for number in reversed(range(10))]


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


@pytest.mark.parametrize(
    ("show", "names"), [("", ["is open", "is done"]), ("?show=open", ["is open"]), ("?show=done", ["is done"])]
)
def test_what_is_shown(signed_in: Visitor, alice: User, show: str, names: list[str]) -> None:
    service.create_todo(alice.id, "is open")
    service.change_todo(alice.id, service.create_todo(alice.id, "is done"), completed=True)
    page = signed_in.get(f"/todos{show}").text
    assert [name for name in ("is open", "is done") if f">{name}</bdi>" in page] == names
    assert page.count('aria-current="page"') == 2  # in the menu, and among the three lists


@pytest.mark.parametrize("show", ["", "all", "OPEN", "open ", "//evil.example", "none", "0", "오픈", "x" * 4000])
def test_showing_anything_else_is_400(signed_in: Visitor, show: str) -> None:
    assert signed_in.get("/todos", query_string={"show": show}).status_code == 400


@pytest.mark.parametrize(
    "before",
    ["", "x", "1", "0-", "-1", "--1-1", "0--1", "0-0", "0-01", "00-1", "-0-1", "+1-1", " 0-1", "0-1\n", "0-١", "١-1",
     f"0-{2**63}", f"{2**63}-1", f"{MIN - 1}-1", "0-" + "9" * 4000, "9" * 4000 + "-1", "0-1-1", "0-1;drop", "1e3-1"],
)  # fmt: skip
def test_a_cursor_of_another_make_is_400(signed_in: Visitor, before: str) -> None:
    assert signed_in.get("/todos", query_string={"before": before}).status_code == 400


@pytest.mark.parametrize("position", [MIN, -1, 0, 1, 2**63 - 1])
@pytest.mark.parametrize("todo_id", [1, 2**63 - 1])
def test_a_cursor_comes_back_from_its_text(signed_in: Visitor, position: int, todo_id: int) -> None:
    cursor = service.Cursor(position, todo_id)
    assert service.Cursor.parse(str(cursor)) == cursor
    assert signed_in.get(f"/todos?before={cursor}").status_code == 200


def test_somebody_elses_todo_is_not_in_it(app: Flask, alice: User, bob: User) -> None:
    service.create_todo(alice.id, "secret")
    assert "secret" not in browser_of(app, bob).get("/todos").text


def test_a_description_is_told_to_the_reader_of_the_screen_with_each_button(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "books")
    page = signed_in.get("/todos").text
    for label in ("Complete: books", "Edit: books", "Delete: books"):
        assert f'aria-label="{label}"' in page
    service.change_todo(alice.id, todo_id, completed=True)
    assert 'aria-label="Reopen: books"' in signed_in.get("/todos").text


@pytest.mark.parametrize(
    ("statement", "completed"), [(service._PAGE, {}), (service._PAGE_OF_STATE, {"completed": True})]
)
def test_the_plan_reads_the_owners_index_and_sorts_nothing(
    alice: User, bob: User, statement: Select[tuple[object, ...]], completed: dict[str, bool]
) -> None:
    for user in (alice, bob):
        create(user, 60)
    db.session.execute(text("ANALYZE todos"))  # else it plans for what autovacuum last saw: nothing, and a sort is free
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    connection = db.session.connection()
    asked = statement.params(owner=alice.id, position=0, todo_id=service.BIGINT_MAX, **completed).compile(connection)
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}", asked.params).scalars())
    assert "Index Scan Backward using ix_todos_user_id_position_id_completed" in plan
    assert ("completed = true" in plan) == bool(completed)
    assert "Filter" not in plan
    assert "Sort" not in plan
