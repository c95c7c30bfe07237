"""Search: all words occur in the todo, down to one Korean syllable or its initial consonant.

Open ones come first, the earliest due date on top, and done ones last.
"""

import re
from datetime import date
from html import unescape

import pytest

from app.accounts.models import User
from app.search_words import words_of
from app.todos import listing, service
from tests.visitor import Visitor

MILK, MOVIE, PATH, SIGNS, SALE = (
    "우유 두 병 사기",
    "감상문 쓰기 (CAFÉ)",
    "C:\\docs a_b f((x|y)*)",
    "ㅋㅋ 100% 웃기",
    "Buy MILK, don’t 牛乳",
)
TODOS = (MILK, MOVIE, PATH, SIGNS, SALE)
FINDS = [
    (MILK, ["우유", "유", "사기 우유", "우유  두\t병", "ㅇㅇ", "ㅂ ㅇㅇ", "우ㅇ", "\u110b\u116e\u110b\u1172"]),
    (MILK, ['"두 병" 유', "“ㄷ  ㅂ”", "「우유 두」", "'병 사기'"]),
    (MOVIE, ["감ㅅ", "ㄳ", "ㄱㅅㅁ", "café", "cafe", "ＣＡＦＥ", "fÉ", "ㅆㄱ ㄱ", "(cafÉ)"]),
    (PATH, ["c:\\DOCS", "\\", "_", "(x|y)*", "a_b"]),
    (SIGNS, ["ㅋ", "ㅋㅋ", "%", "100%", "웃", "1 웃기"]),
    (SALE, ["milk", "MILK bu", "牛", "don't", "'milk, don'", "Milk\x00", "milk\ud800\n"]),
]  # fmt: skip
FINDS_NOTHING = [
    *("우유빵", "우유 milk", "ㄲㅅ", "유ㅇ", "ㅇㄷ", "ㅏ", "cafes", '"병 두"', '"'),
    *("1%0", "a-b", "axb", "C.docs", "[a-z]{3}", "(?i)milk", "^Buy", "\\w", "||", "***", "x|y|z", "'; --"),
]


@pytest.fixture
def todos(alice: User) -> list[int]:
    return [service.create_todo(alice.id, description) for description in TODOS]


def found(user: User, query: str) -> list[str]:
    return [todo.description for todo in listing.list_todos(user.id, sort="due", words=words_of(query)).todos]


@pytest.mark.usefixtures("todos")
def test_it_finds(alice: User) -> None:
    for description, queries in FINDS:
        assert {query: found(alice, query) for query in queries} == {query: [description] for query in queries}
    assert {query: found(alice, query) for query in FINDS_NOTHING} == {query: [] for query in FINDS_NOTHING}


def test_a_query_is_cut_rather_than_refused(signed_in: Visitor, alice: User) -> None:
    for description, query in (("a" * 100, "a" * 101), ("a b c d e", "a b c d e f")):
        service.create_todo(alice.id, description)
        assert found(alice, query) == [description]
    assert signed_in.get("/todos", query_string={"q": "x" * 5000}).status_code == 200


def test_what_is_open_comes_first_by_due_date_and_what_is_done_last(alice: User, bob: User) -> None:
    for name, due_on in {"milk soon": date(2027, 1, 2), "milk": None, "milk at once": date(2027, 1, 1)}.items():
        service.create_todo(alice.id, name, due_on)
    for name in ("milk that is done", "bread"):
        service.change_todo(alice.id, service.create_todo(alice.id, name, date(2020, 1, 1)), completed=True)
    service.delete_todo(alice.id, service.create_todo(alice.id, "milk that is deleted"))
    service.create_todo(bob.id, "milk that is foreign")
    assert found(alice, "milk") == ["milk at once", "milk soon", "milk", "milk that is done"]


def test_the_page_has_what_is_found_and_nothing_else(signed_in: Visitor, todos: list[int]) -> None:
    signed_in.submit(f"/todos/{todos[0]}", completed="1")
    for query, names in (("우유", [MILK]), ("milk", [SALE]), ("<b>", []), (" ", [*TODOS[:0:-1], MILK])):
        page = unescape(signed_in.get("/todos", query_string={"q": query}).text)
        assert re.findall(r'<bdi id="what-\d+"[^>]*>(.*?)</bdi>', page) == names, query
        assert ("No todos match “<b>”." in page) == (not names), query
        assert (f"{len(names)} found" in page) == bool(query.strip()), query
        assert ('class="views"' in page) == (not query.strip()), query


def test_it_is_acted_upon_within_the_search(signed_in: Visitor, todos: list[int]) -> None:
    query = "q=%EC%9A%B0%EC%9C%A0"
    assert f'action="/todos/{todos[0]}?{query}"' in signed_in.get(f"/todos?{query}").text
    assert f'action="/todos/{todos[0]}?{query}"' in signed_in.get(f"/todos?{query}&edit={todos[0]}").text
    for action, fields in (("", {"completed": "1"}), ("/reopen", {}), ("/delete", {}), ("/restore", {})):
        assert signed_in.submit(f"/todos/{todos[0]}{action}?{query}", **fields).location == f"/todos?{query}"
    assert 'name="direction"' not in signed_in.get(f"/todos?{query}").text


@pytest.mark.parametrize("query", ["q=milk&show=done", "q=milk&show=today", "q=milk&sort=due", "q=milk&before=x"])
def test_a_search_of_a_part_of_the_list_is_400_and_changes_nothing(
    signed_in: Visitor, alice: User, todos: list[int], query: str
) -> None:
    assert signed_in.get(f"/todos?{query}").status_code == 400
    assert signed_in.submit(f"/todos/{todos[0]}?{query}", completed="1").status_code == 400
    assert not service.get_todo(alice.id, todos[0]).completed
