"""The list: newest first, filtered by open or done, 50 a page, with keyset pagination: none twice and none left out."""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import Integer, case, cast, insert, update

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.todos import listing, service
from app.todos.models import Todo
from app.web.locale import today
from tests.database import commit
from tests.visitor import Visitor

MIN = -(2**63)
LABELS = {"tick": "Complete", "edit": "Edit", "more": "More", "up": "Move up", "down": "Move down", "delete": "Delete"}


def create(user: User, count: int, due_on: Callable[[int], date | None] = lambda _: None) -> list[int]:
    """Create todos as the service does, and return their ids, the newest last."""
    rows = [{"user_id": user.id, "description": f"{n}", "due_on": due_on(n)} for n in range(count)]
    ids = [*db.session.scalars(insert(Todo).returning(Todo.id, sort_by_parameter_order=True), rows)]
    commit(update(Todo).where(Todo.id.in_(ids)).values(position=Todo.id))
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


def test_the_open_and_the_done_ones_have_pages_of_their_own(alice: User) -> None:
    ids = create(alice, 110)
    db.session.execute(update(Todo).where(Todo.id.in_(ids[::2])).values(completed=True))
    for completed in (True, False):
        expected = [f"{number}" for number in reversed(range(110)) if (number % 2 == 0) == completed]
        assert descriptions_of_all_pages(alice, completed) == expected


def test_the_pages_hold_every_todo_once_the_highest_position_first_and_of_equal_ones_the_newest(alice: User) -> None:
    create(alice, 105)
    number = cast(Todo.description, Integer)
    db.session.execute(update(Todo).values(position=case({0: 2**63 - 1, 104: MIN}, value=number, else_=number % 3 - 1)))
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
    create(alice, 12)
    db.session.execute(update(Todo).values(completed=True))
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


def test_what_is_shown(signed_in: Visitor, alice: User) -> None:
    service.create_todo(alice.id, "is open")
    service.change_todo(alice.id, service.create_todo(alice.id, "is done"), completed=True)
    both = ["is open", "is done"]
    for show, names in {"": both, "?show=open": both, "?show=done": ["is done"], "?show=today": []}.items():
        views, _, page = signed_in.get(f"/todos{show}").text.partition('id="todos"')
        assert re.findall(r'<a id="show-(\w+)"[^>]* aria-current="page"', views) == [
            show[6:].replace("open", "") or "all"
        ]
        assert [name for name in both if f">{name}</bdi>" in page] == names


def test_a_cursor_of_another_list_or_none_at_all_is_400(signed_in: Visitor) -> None:
    for before in ["", "x", "1", "0-0", f"{MIN - 1}-1", "0-1-1"]:
        assert signed_in.get("/todos", query_string={"before": before}).status_code == 400, before
    for before in (f"{MIN}-1", f"{2**63 - 1}-{2**63 - 1}"):
        assert signed_in.get(f"/todos?before={before}").status_code == 200, before


def test_each_button_is_labelled_with_its_todo(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune")
    page = signed_in.get("/todos").text
    assert f'<bdi id="what-{todo_id}">Dune</bdi>' in page
    for name, label in LABELS.items():
        assert f'aria-labelledby="{name} what-{todo_id}"' in page
        assert f'<span id="{name}">{label}:</span>' in page
    assert f'aria-pressed="false" aria-labelledby="tick what-{todo_id}"' in page
    service.change_todo(alice.id, todo_id, completed=True)
    assert f'aria-pressed="true" aria-labelledby="tick what-{todo_id}"' in signed_in.get("/todos").text


LINKED = [
    ("https://e.com/a", "<>"),
    ("표 예매 https://ko.wikipedia.org/wiki/한국어 보고", "표 예매 <> 보고"),
    ("「https://e.com/a」를 열고 https://e.com/b에서 확인", "「<>」를 열고 <>에서 확인"),
    ("お店 https://e.com/a。HTTP://E.COM/(b) (mailto:a@e.com)", "お店 <>。<> (<>)"),
    ("<b> & https://e.com/?a=1&b='x'", "&lt;b&gt; &amp; <>"),
    ('https://e.com/"onclick="alert(1) https://e.com/<script>', "<>&#34;onclick=&#34;alert(1) <>&lt;script&gt;"),
    *((text, text) for text in ("Dune", "e.com javascript:alert(1) data:text/html,x https:// //e.com")),
]  # fmt: skip
ADDRESS = re.compile(r'<a href="(?:https?://|mailto:)[^"<>]+" rel="nofollow noopener noreferrer ugc">[^<>]+</a>', re.I)


@pytest.mark.parametrize(("description", "shown"), LINKED)
def test_addresses_are_links_beside_that_to_the_editor(
    signed_in: Visitor, alice: User, description: str, shown: str
) -> None:
    todo_id = service.create_todo(alice.id, description)
    page = signed_in.get("/todos").text
    [html] = re.findall(f'<bdi id="what-{todo_id}"[^>]*>(.*?)</bdi>', page)
    assert ADDRESS.sub("<>", html) == shown
    assert unescape(re.sub("<.*?>", "", html)) == description, "which names the buttons"
    assert page.count(f'href="/todos?edit={todo_id}"') == 1
    assert not re.search("<a [^>]*>(?:(?!</a>).)*<a ", page, re.DOTALL), "a link in a link"


def counts(page: str) -> dict[str, str]:
    """Return what stands beside the name of each view."""
    return dict(re.findall(r'<a id="show-(\w+)"[^>]*>\w+(?: <b>(.*?)</b>)?</a>', page))


@pytest.mark.parametrize(("due", "shown"), [(0, ""), (3, "3"), (99, "99"), (100, "99+"), (120, "99+")])
def test_each_view_says_how_many_it_lists_on_all_of_its_pages(
    signed_in: Visitor, alice: User, bob: User, due: int, shown: str
) -> None:
    with signed_in.application.test_request_context():
        now = today()
    ids = create(alice, due + 60, lambda number: now - timedelta(number) if number < due else now + timedelta(1))
    db.session.execute(update(Todo).where(Todo.id.in_(ids[-4:])).values(completed=True, due_on=now))
    service.delete_todo(alice.id, ids[-5])
    create(bob, 3, lambda _: now)
    for query in ("", "?show=open", "?show=today", "?show=done", "?before=0-1", "?sort=due"):
        assert counts(signed_in.get(f"/todos{query}").text) == {"all": f"{due + 55}", "today": shown, "done": ""}, query


QUERIES = ("", "?sort=", "?show=open", "?sort=due", "?show=today", "?show=done", "?q=1")


def test_an_order_is_offered_where_it_makes_a_difference(signed_in: Visitor, alice: User) -> None:
    def offered() -> list[str]:
        pages = {query: signed_in.get(f"/todos{query}").text for query in QUERIES}
        return [query for query, page in pages.items() if '<select id="sort"' in page]

    create(alice, 60)
    service.change_todo(alice.id, service.create_todo(alice.id, "done", date(2026, 1, 1)), completed=True)
    service.delete_todo(alice.id, service.create_todo(alice.id, "deleted", date(2026, 1, 1)))
    assert offered() == ["?sort=due"], "to change it back"
    commit(update(Todo).where(Todo.description == "0").values(due_on=date(2100, 1, 1)))
    assert offered() == ["", "?sort=", "?show=open", "?sort=due"], "also for one on the next page"


EMPTY = [
    ("", "Write down your first todo.", "#description"),
    ("?show=today", "Nothing due today.", "/todos"),
    ("?show=done", "No completed todos.", "/todos"),
    ("?before=0-1", "No older todos.", "/todos"),
    ("?show=done&before=0-1", "No older todos.", "/todos?show=done"),
]


def test_an_empty_list_offers_one_action(signed_in: Visitor) -> None:
    for query, sentence, action in EMPTY:
        [empty] = re.findall(r'<div class="empty">.*?</div>', signed_in.get(f"/todos{query}").text, re.DOTALL)
        assert sentence in empty, (query, sentence, action)
        assert re.findall(r'<a class="button" href="([^"]+)"', empty) == [action], (query, sentence, action)


def test_a_page_of_twenty_todos_weighs_less_than_10_kb(signed_in: Visitor, alice: User) -> None:
    for number in range(20):
        service.create_todo(alice.id, f"관리사무소에 엘리베이터 예약하기 {number}", date(2026, 11, 21))
    assert len(gzip.compress(signed_in.get("/todos").data)) <= 10_240
