"""The list: newest first, filtered by open or done, 50 a page, with keyset pagination: none twice and none left out.

And the due date: what is accepted, how it is shown, and the order by it.
"""

import gzip
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import Integer, case, cast, insert, select, text, update

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.todos import listing, service
from app.todos.models import Todo
from app.todos.views import due_choices
from app.web.locale import today
from tests.database import commit, same_row_counts
from tests.visitor import Visitor

MIN = -(2**63)
CHOSEN = r'<input type="checkbox" name="named_day" value="([^"]*)" checked>'
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


def test_show_older_leads_on_within_what_is_shown(signed_in: Visitor, alice: User) -> None:
    service.change_todo(alice.id, service.create_todo(alice.id, "one that is done"), completed=True)
    service.create_todo(alice.id, "the oldest that is open")
    create(alice, 50)
    page = signed_in.get("/todos?show=open").text
    assert "the oldest that is open" not in page
    [link] = re.findall(r'href="(/todos\?show=open&amp;before=[^"]+)"', page)
    older = signed_in.get(unescape(link)).text
    assert "the oldest that is open" in older
    assert "one that is done" not in older


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
    [html] = re.findall(f'<bdi id="what-{todo_id}">(.*?)</bdi>', page)
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


ZONE = "Pacific/Kiritimati"  # fourteen hours ahead of UTC, where for most of the day it is tomorrow already


def stored() -> date | None:
    return db.session.scalars(select(Todo.due_on)).one()


def test_anything_else_is_422_and_stays_in_the_form(signed_in: Visitor) -> None:
    with same_row_counts():
        for typed in ["1999-12-31", "2101-01-01", "2026-02-29", "20261121", "2026-1-2", "٢٠٢٦-١١-٢١", "2026-11-21\x00"]:
            answer = signed_in.submit("/todos", description="Dune", due_on=typed)
            assert answer.status_code == 422, typed
            assert '<p class="error" id="due_on-error">' in answer.text, typed
            assert 'value="Dune"' in answer.text, typed
            assert f'value="{typed[:4]}' in answer.text, typed
        assert signed_in.submit("/todos", description="Dune", named_day="2026-02-29").status_code == 422


def test_a_wrong_date_changes_nothing(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    answer = signed_in.submit(f"/todos/{todo_id}", description="more books", due_on="tomorrow", completed="1")
    assert answer.status_code == 422
    assert "more books" in answer.text
    todo = service.get_todo(alice.id, todo_id)
    assert (todo.description, todo.due_on, todo.completed) == ("Dune", date(2026, 11, 21), False)


def test_the_editor_changes_and_removes_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    assert 'value="2026-11-21"' in signed_in.get(f"/todos?edit={todo_id}").text
    for typed in ("2000-01-01", "2100-12-31", " 2026-12-01\r\n"):
        signed_in.submit(f"/todos/{todo_id}", description="Dune", due_on=typed)
        assert stored() == date.fromisoformat(typed.strip())
    signed_in.submit(f"/todos/{todo_id}", description="Dune", due_on="")
    assert stored() is None


QUERIES = ("", "?sort=", "?show=open", "?sort=due", "?show=today", "?show=done", "?q=1")
ENGLISH_DAY, KOREAN_DAY = r"\w{3},\s\w{3}\s\d{1,2}(,\s\d{4})?", r"(\d{4}년\s)?\d{1,2}월\s\d{1,2}일\([월화수목금토일]\)"
DUE = {
    -400: (f"Overdue {ENGLISH_DAY}", f"기한 지남 {KOREAN_DAY}"),
    -2: (f"Overdue {ENGLISH_DAY}", f"기한 지남 {KOREAN_DAY}"),
    -1: ("Overdue Yesterday", "기한 지남 어제"),
    0: ("Today", "오늘"),
    1: ("Tomorrow", "내일"),
    2: (ENGLISH_DAY, KOREAN_DAY),
}


def test_it_is_shown_in_the_readers_language_and_time_zone(app: Flask, signed_in: Visitor, alice: User) -> None:
    signed_in.set_cookie("time_zone", ZONE)
    with app.test_request_context(headers={"Cookie": f"time_zone={ZONE}"}):
        now = today()
    ids = [service.create_todo(alice.id, "Dune", now + timedelta(days)) for days in DUE]
    for place, language in enumerate(("en", "ko")):
        page = signed_in.get("/todos", headers={"Accept-Language": language}).text
        for todo_id, (days, shown) in zip(ids, DUE.items(), strict=True):
            late = " late" if days < 0 else ""
            start = f'<time class="when{late}" id="due-{todo_id}" datetime="{now + timedelta(days)}">'
            time = page.partition(start)[2].partition("</time>")[0]
            assert re.fullmatch(shown[place], re.sub("<.*?>", "", time)), (days, time)
            assert ('"visually-hidden"' in time) == (days < 0), "the word is said, and not seen"
            assert f'aria-labelledby="edit what-{todo_id} due-{todo_id}"' in page


def test_by_due_date_open_ones_with_a_date_come_first_and_done_ones_last(alice: User) -> None:
    def add(name: str, due_on: date | None = None, *, completed: bool = False) -> None:
        service.change_todo(alice.id, service.create_todo(alice.id, name, due_on), completed=completed)

    add("late", date(2000, 1, 1))
    add("done", date(2000, 1, 1), completed=True)
    add("some day")
    add("far", date(2100, 12, 31))
    add("soon", date(2026, 11, 21))
    add("as soon", date(2026, 11, 21))
    add("some other day")
    expected = ["late", "as soon", "soon", "far", "some other day", "some day", "done"]
    for completed, names in ((None, expected), (False, expected[:-1])):
        page = listing.list_todos(alice.id, sort="due", completed=completed)
        assert [todo.description for todo in page.todos] == names


def test_what_is_due_today_or_before_is_listed_the_earliest_first(signed_in: Visitor, alice: User, bob: User) -> None:
    now = date(2026, 11, 21)
    for name, due_on in {
        "tomorrow": now + timedelta(1), "today": now, "yesterday": now - timedelta(1), "some day": None,
        "long ago": date(2000, 1, 1), "also today": now,
    }.items():  # fmt: skip
        service.create_todo(alice.id, name, due_on)
    service.change_todo(alice.id, service.create_todo(alice.id, "done", date(2001, 1, 1)), completed=True)
    assert "Overdue" not in signed_in.get("/todos?show=done").text
    service.delete_todo(alice.id, service.create_todo(alice.id, "deleted", now))
    service.create_todo(bob.id, "foreign", now)
    listed = [todo.description for todo in listing.list_due(alice.id, now).todos]
    assert listed == ["long ago", "yesterday", "also today", "today"]


def test_the_pages_of_today_hold_every_todo_once_by_the_index(alice: User) -> None:
    now = date(2026, 11, 21)
    ids = create(alice, 120, lambda number: now - timedelta(number % 7))
    found = all_pages(lambda after: listing.list_due(alice.id, now, after))
    assert [todo.due_on for todo in found] == sorted(todo.due_on for todo in found)
    assert sorted(todo.id for todo in found) == ids
    db.session.execute(text("ANALYZE todos; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
    connection = db.session.connection()
    asked = listing._TODAY.params(owner=alice.id, rank=0, todo_id=1, today=0).compile(connection)
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {asked}", asked.params).scalars())
    assert "Index Scan Backward using ix_todos_due" in plan


def test_the_view_of_today_offers_today_for_what_is_added(signed_in: Visitor) -> None:
    with signed_in.application.test_request_context():
        now = today()
    for path, chosen in (("/todos", []), ("/todos?show=today", [f"{now}"])):
        assert re.findall(CHOSEN, signed_in.get(path).text) == chosen


def test_no_day_is_offered_by_two_names(app: Flask) -> None:
    saturday, sunday, monday = (date(2026, 11, day) for day in (21, 22, 23))
    with app.test_request_context():
        assert due_choices(saturday) == [(saturday, "Today"), (sunday, "Tomorrow"), (monday, "Next week")]
        assert due_choices(sunday) == [(sunday, "Today"), (monday, "Tomorrow")]
        assert due_choices(monday)[-1] == (date(2026, 11, 30), "Next week")


def test_a_day_by_name_is_stored_unless_the_calendar_has_another(signed_in: Visitor) -> None:
    for due_on in ("", "2026-12-24"):
        signed_in.submit("/todos", description="Dune", named_day="2026-11-21", due_on=due_on)
    assert [*db.session.scalars(select(Todo.due_on).order_by(Todo.id))] == [date(2026, 11, 21), date(2026, 12, 24)]


def test_by_due_date_the_pages_hold_every_todo_once(alice: User) -> None:
    days = date(2026, 1, 1)
    ids = create(alice, 120, lambda number: days + timedelta(number % 7) if number % 3 else None)
    found = all_pages(lambda after: listing.list_todos(alice.id, after, sort="due"))
    assert sorted(todo.id for todo in found) == ids
    assert [todo.due_on or date.max for todo in found] == sorted(todo.due_on or date.max for todo in found)


def test_by_due_date_nothing_can_be_moved_and_the_links_keep_the_order(signed_in: Visitor, alice: User) -> None:
    create(alice, 51)
    page = signed_in.get("/todos?sort=due").text
    assert 'name="direction"' not in page
    assert 'href="/todos?show=done&amp;sort=due"' in page
    assert "/todos?sort=due&amp;before=-1000000-" in page


def test_the_button_for_older_ones_leads_through_three_pages_of_the_same_list(signed_in: Visitor, alice: User) -> None:
    ids = create(alice, 110, lambda number: date(2026, 1, 1) + timedelta(number))
    for path in ("/todos", "/todos?sort=due", "/todos?show=open"):
        found, following = [], path
        while following:
            page = signed_in.get(following).text
            found += [int(todo_id) for todo_id in re.findall(r'<li id="todo-(\d+)"', page)]
            assert len(found) <= len(ids), path
            older = re.search(r'<p class="after"><a class="button" href="([^"]+)"', page)
            following = unescape(older[1]) if older else ""
        assert sorted(found) == ids, path


@pytest.mark.parametrize("zone", [ZONE, "Pacific/Pago_Pago"])  # in one of the two it is not the day of UTC
def test_the_view_of_today_has_the_readers_day(signed_in: Visitor, alice: User, zone: str) -> None:
    signed_in.set_cookie("time_zone", zone)
    now = datetime.now(ZoneInfo(zone)).date()
    due, _ = (service.create_todo(alice.id, f"{day}", day) for day in (now, now + timedelta(1)))
    page = signed_in.get("/todos?show=today").text
    assert re.findall(r'<li id="todo-(\d+)"', page) == [f"{due}"]
    assert re.findall(CHOSEN, page) == [f"{now}"]


def test_a_tick_or_a_text_alone_leaves_it(signed_in: Visitor, alice: User) -> None:
    todo_id = service.create_todo(alice.id, "Dune", date(2026, 11, 21))
    signed_in.submit(f"/todos/{todo_id}", completed="1")
    signed_in.submit(f"/todos/{todo_id}", description="more books")
    assert stored() == date(2026, 11, 21)
