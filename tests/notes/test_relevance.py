"""A search by words: hits in the title first, beginnings of words before the middle of words, then as in the list.

Among the pool, that is all hits of a rare word, and of a frequent one those of the newest notes; beyond it, as in the
list.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.cursor import parse_cursor
from app.notes.listing import PAGE_SIZE
from app.notes.search import Search
from app.notes.search_statements import WALKED
from tests.notes.lists import headings, older_of
from tests.notes.test_search_index import MOST_ROWS, fill, pages_of, rows_read
from tests.visitor import Visitor

# The newest first, and it is the least relevant one.
NOTES = [("재료", "햇감자"), ("요리", "된장국, 감자"), ("저녁 감자국", ""), ("햇감자", "감자"), ("감자 요리", "")]


def titles(user: User, query: str) -> list[str]:
    return [note.title for page in pages_of(user, query) for note in page.notes]


@pytest.fixture
def notes(alice: User) -> dict[str, int]:
    return {title: service.create_note(alice.id, title, content) for title, content in reversed(NOTES)}


def test_the_title_counts_more_than_the_text_and_a_beginning_more_than_the_middle(
    alice: User, notes: dict[str, int]
) -> None:
    assert titles(alice, "감자") == ["저녁 감자국", "감자 요리", "햇감자", "요리", "재료"]


def test_several_words_and_initials_count_the_same_way(alice: User, notes: dict[str, int]) -> None:
    service.update_note(alice.id, notes["저녁 감자국"], "저녁 감자국", "새 요리", 1)
    assert titles(alice, "감자 요리") == ["감자 요리", "요리", "저녁 감자국"]
    assert titles(alice, "ㄱㅈ") == ["저녁 감자국", "감자 요리", "햇감자", "요리", "재료"]


def test_a_note_without_a_title_is_named_by_its_first_line(alice: User) -> None:
    for title, content in (("", "감자\n국물"), ("", "국물\n감자"), ("국", "감자 조림"), ("햇감자", "")):
        service.create_note(alice.id, title, content)
    found = listing.list_notes(alice.id, search=Search.parse("감자")).notes
    assert [note.text for note in found] == ["감자\n국물", "", "감자 조림", "국물\n감자"]


def test_one_of_the_words_in_the_title_counts_too(alice: User) -> None:
    for title, content in (("감자", "새 요리"), ("국", "감자 요리"), ("요리", "햇감자")):
        service.create_note(alice.id, title, content)
    assert titles(alice, "감자 요리") == ["감자", "요리", "국"]


def test_equally_relevant_ones_come_as_in_the_list(alice: User) -> None:
    ids = {name: service.create_note(alice.id, name, "감자") for name in "abc"}
    service.pin_note(alice.id, ids["a"], pinned=True)
    assert titles(alice, "감자") == ["a", "c", "b"]


def test_a_tag_alone_keeps_the_order_of_the_list(alice: User) -> None:
    service.create_note(alice.id, "책", "#책 #글")
    service.create_note(alice.id, "x", "책 #책 #글")
    assert titles(alice, "#책") == titles(alice, "#책 #글") == ["x", "책"]


def test_the_best_hit_is_first_however_old_it_is(alice: User) -> None:
    fill(alice, 3000, "CASE WHEN number > 2100 THEN '옛날' ELSE '요즘' END")
    db.session.execute(text("UPDATE notes SET title = '옛날' WHERE title = 'note 2900'"))
    assert titles(alice, "옛날")[0] == "옛날"
    assert sum(rows_read(alice, "옛날")) <= MOST_ROWS


def relevant_and_then_as_in_the_list(count: int) -> list[str]:
    """Return the expected order. One in a hundred has the word in its title; the first WALKED are the pool."""
    pool, beyond = range(1, WALKED + 1), range(WALKED + 1, count + 1)
    first = [number for number in pool if number % 100 == 50]
    return [f"note {number}" for number in (*first, *(number for number in pool if number % 100 != 50), *beyond)]


def fill_with_titles(user: User, count: int) -> None:
    fill(user, count, "'감자 감자'")
    db.session.execute(
        text("UPDATE notes SET title = title || ' 감자' WHERE split_part(title, ' ', 2)::int % 100 = 50")
    )


def test_of_a_frequent_word_the_newest_are_sorted_and_the_others_follow_as_in_the_list(alice: User, bob: User) -> None:
    """And every page reads few notes."""
    fill(bob, 1000, "'감자'")
    fill_with_titles(alice, 2300)
    assert sum(rows_read(alice, "감자")) <= MOST_ROWS
    found = []
    for number, page in enumerate(pages_of(alice, "감자")):
        found += [note.title.removesuffix(" 감자") for note in page.notes]
        if page.older and number in (0, 1, 30, 49, 50, 51, 90):
            assert sum(rows_read(alice, "감자", page.older)) <= 2 * MOST_ROWS, number
    assert found == relevant_and_then_as_in_the_list(2300)


def test_what_is_written_and_deleted_between_two_pages_loses_and_doubles_nothing(alice: User) -> None:
    """These changes move the end of the pool, unless the cursor keeps it."""
    fill_with_titles(alice, 2100)
    found: list[str] = []
    search, after = Search.parse("감자"), None
    for number, page in enumerate(walk(alice, search)):
        found += [note.title.removesuffix(" 감자") for note in page.notes]
        if number % 10 == 0:
            service.create_note(alice.id, f"new {number}", "감자")
            service.delete_note(alice.id, int(page.notes[0].id))
        after = page.older
    assert after is None
    old = [title for title in found if not title.startswith("new")]
    assert len(old) == len(set(old))
    assert set(old) == {f"note {number}" for number in range(1, 2101)}


def walk(user: User, search: Search) -> Iterator[listing.NotePage]:
    """Yield the pages as pages_of() does, but read each one only when it is asked for."""
    page = listing.list_notes(user.id, search=search)
    yield page
    while page.older:
        page = listing.list_notes(user.id, parse_cursor(str(page.older)), search)
        yield page


def test_a_rare_word_that_becomes_frequent_between_two_pages_is_found_to_its_end(alice: User) -> None:
    fill(alice, 990, "CASE WHEN number % 2 = 0 THEN '감자' ELSE '' END")
    pages = walk(alice, Search.parse("감자"))
    found = [note.title for note in next(pages).notes]
    fill(alice, 800, "'감자 #new'")
    found += [note.title for page in pages for note in page.notes]
    assert {f"note {number}" for number in range(2, 991, 2)} <= set(found)


def test_a_made_up_cursor_is_no_error(signed_in: Visitor, notes: dict[str, int]) -> None:
    for before in ["1-0-1-1-0-0-0-0", "6-1-9-9-1-9-9-5"]:
        for query in ["", "q=감자", "tag=책", "q=%23a+%23b"]:
            assert signed_in.get(f"/notes?{query}&before={before}").status_code == 200, (before, query)


def test_hits_stand_under_no_day_and_say_when_they_were_written(signed_in: Visitor, alice: User) -> None:
    fill(alice, PAGE_SIZE + 5, "'감자'")
    db.session.execute(text("UPDATE notes SET created_at = created_at - interval '400 days'"))
    db.session.commit()
    page = signed_in.get("/notes?q=감자").text
    assert headings(page) == []
    heading = '<h2 class="visually-hidden continued">Search results</h2>'
    assert heading in page
    assert page.count("<time datetime=") == PAGE_SIZE
    older = signed_in.get(older_of(page).replace("&amp;", "&")).text
    assert heading in older
    assert older.count("<article") == 5
