"""Search: all words occur in the title or text, down to one Korean syllable or its initial consonant.

Hits in the title come first, beginnings of words before the middle of words, then as in the list: among the pool, that
is all hits of a rare word, and of a frequent one those of the newest notes; beyond it, as in the list.
"""

import unicodedata

import pytest

from app.accounts.models import User
from app.extensions import db
from app.notes import listing, service
from app.notes.listing import PAGE_SIZE
from app.notes.search import Search
from app.notes.search_statements import DEEP, INDEXED, WALKED
from tests.database import same_row_counts
from tests.notes.lists import headings, older_of
from tests.notes.test_search_correction import fill, pages_of
from tests.visitor import Visitor

NOTES = {
    "감자수제비": "멸치 육수 1.2리터, 애호박 반 개 #요리",
    "반달": "상현달은 정오쯤 떠서 자정쯤 진다 #하늘",
    "Books": "three NOVELS, 100% paper, under_score #책 #하늘",
    "path": "C:\\Users <b>bold</b>",
}


@pytest.fixture
def notes(alice: User) -> dict[str, int]:
    return {title: service.create_note(alice.id, title, content) for title, content in NOTES.items()}


def found(user: User, query: str, tag: str = "") -> set[str]:
    return {note.title for note in listing.list_notes(user.id, search=Search.parse(query, tag)).notes}


def test_it_finds(alice: User, notes: dict[str, int]) -> None:
    for query, titles in [
        ("반", {"감자수제비", "반달"}),
        ("반 진다", {"반달"}),
        ("반  수제비\t육수", {"감자수제비"}),
        ("novels", {"Books"}),
        ("100%", {"Books"}),
        ("c:\\users", {"path"}),
        ("<b>", {"path"}),
        ("#하늘", {"반달", "Books"}),
        ("#하늘 달은", {"반달"}),
        ("#책,", {"Books"}),
        ("", set(NOTES)),
        (unicodedata.normalize("NFD", "수제비"), {"감자수제비"}),
        ("수제비\x00", {"감자수제비"}),
        ("%", {"Books"}),
        ("\\", {"path"}),
        ("반달 상현달은 정오쯤 떠서 자정쯤 없는말", {"반달"}),  # five words of it
        ("달상현", set()),  # not from the title into the text
        *(
            (query, set())
            for query in ("없는말", "반 없는말", "\\\\", "1_2", "1%2", "C:%", "#하", "#하늘 #요리", "{반}")
        ),
    ]:
        assert found(alice, query) == titles, (query, titles)
    assert Search.parse("가" * 5000).text == "가" * 100
    assert Search.parse("#책#a 달 #c++, #1").tags == ("a", "책", "c++")


def test_a_tag_is_chosen_by_its_name_and_narrows_a_search(alice: User, notes: dict[str, int]) -> None:
    assert found(alice, "", "하늘") == {"반달", "Books"}
    assert found(alice, "달은", "하늘") == {"반달"}
    assert found(alice, "", "하") == set()
    assert found(alice, "", "x" * 5000) == set()


def test_the_page_marks_hits_keeps_the_query_and_offers_to_clear_it(signed_in: Visitor, notes: dict[str, int]) -> None:
    page = signed_in.get("/notes", query_string={"q": "<B> path"}).text
    assert "<mark>path</mark>" in page
    assert "<mark>&lt;b&gt;</mark>bold" in page
    assert 'value="&lt;B&gt; path"' in page
    assert "감자수제비</bdi>" not in page
    page = signed_in.get("/notes?q=nothing-like-it").text
    assert "No notes match “nothing-like-it”." in page
    assert 'href="/notes">Clear search</a>' in page


def test_no_query_is_an_error_or_changes_anything(signed_in: Visitor, notes: dict[str, int]) -> None:
    with same_row_counts():
        for query in ["%00", "%ff%fe", "%ed%a0%80", "%EF%BF%BF", "x" * 3000, "%23", "((((", "%5C", "%E2%80%AE"]:
            for name in ("q", "tag"):
                assert signed_in.get(f"/notes?{name}={query}").status_code == 200, query


def test_show_older_keeps_query_and_tag(signed_in: Visitor, alice: User) -> None:
    fill(alice, 21, content="'반달'")
    db.session.commit()
    page = signed_in.get("/notes", query_string={"q": "반", "tag": "하늘"}).text
    page = signed_in.get(older_of(page).replace("&amp;", "&")).text
    assert ">note 21</bdi>" in page
    assert 'name="tag" value="하늘"' in page


WITH_INITIALS = {
    "감자튀김": "소금을 뿌린다 #요리",
    "회의": "다음 주 강의실, 홍길동 강사",
    "웃음": "그거 보고 ㅋㅋㅋ 했다. 정말 ㄳ 합니다",
    "kebab": "English alone",
}


def test_initial_consonants_find_syllables_that_begin_so(alice: User) -> None:
    for title, content in WITH_INITIALS.items():
        service.create_note(alice.id, title, content)
    for query, titles in [
        ("ㄱㅈ", {"감자튀김"}),
        ("감ㅈ", {"감자튀김"}),
        ("ㄱ자튀ㄱ", {"감자튀김"}),
        ("ㅎㅇ 강의", {"회의"}),
        ("ㄱㅈ #요리", {"감자튀김"}),
        ("ㅋ", {"웃음"}),
        ("ㄳ", {"웃음", "회의"}),  # an input method writes ㄱ and ㅅ so
        ("ㅃㄹ", {"감자튀김"}),
        ("ㄼ", set()),
        ("ㄱㅌ", set()),  # not side by side
        ("ㅈㄱ", set()),  # from one word into the next
        ("ㄱㅈ 회의", set()),
        ("ㄱㅈ #하늘", set()),
    ]:
        assert found(alice, query) == titles, (query, titles)


SPELT = {
    "Café Zürich": "Łódź, Þ, Straße. Crème brûlée",
    "contraction": "I don’t know, 그는 ‘AI’를 안다",
    "full width": "Ｗｉｆｉ ２０２６年、ガーデン",
    "가게": "카페에서 й, мой Ёлка, οδός",
    "signs": "（주）한국, 50％ 할인, Ａ－１２, Jean‑Luc, 3～5일, a.b@c.kr",
    "marks": "q\u0303uick ọ\u0301kan",
}


def test_letters_are_found_as_people_type_them_for_one_another(alice: User) -> None:
    for title, content in SPELT.items():
        service.create_note(alice.id, title, content)
    for queries, titles in [
        (("cafe", "CAFÉ", "cafè", "ｃａｆｅ", "zurich", "lodz", "łodz", "creme brulee", "Brûlee"), {"Café Zürich"}),
        (("don't", "don’t", "DON'T", "don`t", "'ai'", "‘ai’를"), {"contraction"}),
        (("wifi", "ＷＩＦＩ", "2026", "２０26年", "ガーデン"), {"full width"}),
        (("(주)", "（주）", "50%", "５０％", "a-12", "jean-luc", "3~5일", "a．b＠c", "주）한국，"), {"signs"}),
        (("(주)a", "50&", "50_", "a--12", "a+b@"), set()),
        (("q\u0303u", "q\u0303", "ọ\u0301kan", "uick"), {"marks"}),
        (("елка", "ЁЛКА", "мой", "οδος", "ΟΔΌΣ"), {"가게"}),
        # Other letters: a vowel mark in Japanese, й and и, ß and ss, a word without its apostrophe.
        (("カーデン", "мои", "strasse", "dont", "가계", "cafés"), set()),
    ]:
        for query in queries:
            page = listing.list_notes(alice.id, search=Search.parse(query))
            assert {note.title for note in page.notes if not page.search.mistyped} == titles, query


def test_the_page_marks_hits_as_they_are_written(signed_in: Visitor, alice: User) -> None:
    for title, content in SPELT.items():
        service.create_note(alice.id, title, content)
    for query, marked in (
        ("cafe", "Café"),
        ("don't", "don’t"),
        ("wifi", "Ｗｉｆｉ"),
        ('"creme  brulee"', "Crème brûlée"),
    ):
        assert f"<mark>{marked}</mark>" in signed_in.get("/notes", query_string={"q": query}).text


def test_what_stands_in_quotation_marks_is_a_phrase(alice: User) -> None:
    texts = {
        "together": "오늘 회의 메모",
        "apart": "회의 준비, 오늘",
        "lines": "오늘\n\u3000회의",
        "no break": "오늘\u00a0회의",
        "english": "to be, or not to be",
    }
    for title, content in texts.items():
        service.create_note(alice.id, title, content)
    for query, titles in [
        ("오늘 회의", {"together", "apart", "lines", "no break"}),
        ('"오늘 회의"', {"together", "lines", "no break"}),
        ("“오늘 회의” 메모", {"together"}),
        ("「오늘  회의」", {"together", "lines", "no break"}),
        ("‘오늘 회의’", {"together", "lines", "no break"}),
        ("'not to'", {"english"}),
        ('"회의 오늘"', set()),
        ('"ㅇㄴ ㅎㅇ"', {"together", "lines", "no break"}),
        ('"오늘', set()),  # a quotation mark that nothing ends is a sign
        ('""', set()),
    ]:
        assert found(alice, query) == titles, query
    search = Search.parse('"not to" be #책')
    assert (search.words, search.tags, search.query) == (("not to", "be"), ("책",), '"not to" be #책')


def test_the_note_that_is_called_so_comes_first(alice: User) -> None:
    titles_by_age = ["감자", "감자 요리", "Café", "cafe list", "", "감자 감자국"]
    for title in titles_by_age:
        service.create_note(alice.id, title, "" if title else "오늘 감자\n그리고")
    assert titles(alice, "감자")[0] == "감자"
    assert titles(alice, "cafe") == ["Café", "cafe list"]
    assert titles(alice, "오늘 감자")[0] == ""  # by its first line
    for content in ("\n\n## 회의\n감자", "- [ ] 회의", "회의록"):
        service.create_note(alice.id, "", content)
    service.create_note(alice.id, "회의 자료", "")
    first = listing.list_notes(alice.id, search=Search.parse("회의")).notes
    assert [note.text for note in first] == ["- [ ] 회의", "\n\n## 회의\n감자", "", "회의록"]


def test_long_notes_are_searched_to_their_end_if_they_are_new_or_else_the_page_says_so(
    signed_in: Visitor, alice: User
) -> None:
    head, middle = "가나 " * (INDEXED // 3 - 10), "다라 " * 5000
    for number in range(DEEP + 1):
        service.create_note(alice.id, f"long {number}", f"{head}모서리 {middle}끝자락{number} ㅁㄴ")
    service.create_note(alice.id, "short", "짧은 글")
    assert found(alice, "모서리 long") >= {f"long {number}" for number in (DEEP, DEEP - 1)}
    assert found(alice, f"끝자락{DEEP}") == {f"long {DEEP}"}
    assert found(alice, "끝자락0 모서리") == set()  # it is older than DEEP others
    assert found(alice, '"끝자락1 ㅁㄴ"') == {"long 1"}
    told = "The newest 50 of your long notes were searched to the end, the others in their first 2,000 characters"
    assert told in signed_in.get("/notes?q=모서리").text
    assert told not in signed_in.get("/notes").text
    service.delete_note(alice.id, listing.list_notes(alice.id, search=Search.parse("끝자락1")).notes[0].id)
    assert told not in signed_in.get("/notes?q=모서리").text


def test_what_is_found_beyond_the_index_stays_found_when_longer_notes_are_written_between_two_pages(
    alice: User,
) -> None:
    fill(alice, DEEP, content=f"repeat('가나 ', {INDEXED}) || '끝자락'")
    pages = pages_of(alice, "끝자락")
    found = [note.title for note in next(pages).notes]
    for number in range(DEEP):
        service.create_note(alice.id, f"new {number}", "다라 " * INDEXED)
    found += [note.title for page in pages for note in page.notes]
    assert found == [f"note {number}" for number in range(1, DEEP + 1)]


# The newest first, and it is the least relevant one.
LISTED = [("재료", "햇감자"), ("요리", "된장국, 감자"), ("저녁 감자국", ""), ("햇감자", "감자"), ("감자 요리", "")]


def titles(user: User, query: str) -> list[str]:
    return [note.title for page in pages_of(user, query) for note in page.notes]


@pytest.fixture
def listed(alice: User) -> dict[str, int]:
    return {title: service.create_note(alice.id, title, content) for title, content in reversed(LISTED)}


def test_the_title_counts_more_than_the_text_and_beginnings_than_middles(alice: User, listed: dict[str, int]) -> None:
    assert titles(alice, "감자") == ["저녁 감자국", "감자 요리", "햇감자", "요리", "재료"]


def test_several_words_and_initials_count_the_same_way(alice: User, listed: dict[str, int]) -> None:
    service.update_note(alice.id, listed["저녁 감자국"], "저녁 감자국", "새 요리", 1)
    service.create_note(alice.id, "국", "감자 요리")
    assert titles(alice, "감자 요리") == ["감자 요리", "요리", "저녁 감자국", "국"]
    assert titles(alice, "ㄱㅈ") == ["저녁 감자국", "감자 요리", "햇감자", "국", "요리", "재료"]


def test_a_note_without_a_title_is_named_by_its_first_line(alice: User, listed: dict[str, int]) -> None:
    for content in ("감자\n국물", "국물\n감자"):
        service.create_note(alice.id, "", content)
    assert titles(alice, "감자") == ["", "저녁 감자국", "감자 요리", "햇감자", "", "요리", "재료"]


def test_equally_relevant_ones_come_as_in_the_list(alice: User) -> None:
    ids = {name: service.create_note(alice.id, name, "감자") for name in "abc"}
    service.pin_note(alice.id, ids["a"], pinned=True)
    assert titles(alice, "감자") == ["a", "c", "b"]


def test_a_tag_alone_keeps_the_order_of_the_list(alice: User) -> None:
    service.create_note(alice.id, "책", "#책 #글")
    service.create_note(alice.id, "x", "책 #책 #글")
    assert titles(alice, "#책") == titles(alice, "#책 #글") == ["x", "책"]


def test_the_best_hit_is_first_however_old_it_is(alice: User) -> None:
    fill(
        alice,
        WALKED + 200,
        content=f"CASE WHEN number > {WALKED} THEN '옛날' ELSE '' END",
        title=f"CASE number WHEN {WALKED + 150} THEN '옛날' ELSE 'note' END",
    )
    assert titles(alice, "옛날")[0] == "옛날"


def relevant_and_then_as_in_the_list(count: int) -> list[str]:
    """Return the expected order. One in a hundred has the word in its title; the first WALKED are the pool."""
    pool, beyond = range(1, WALKED + 1), range(WALKED + 1, count + 1)
    first = [number for number in pool if number % 100 == 50]
    return [f"note {number}" for number in (*first, *(number for number in pool if number % 100 != 50), *beyond)]


def fill_with_titles(user: User, count: int) -> None:
    fill(
        user,
        count,
        content="'감자 감자'",
        title="format('note %s', number) || CASE number % 100 WHEN 50 THEN ' 감자' ELSE '' END",
    )


def test_of_a_frequent_word_the_newest_are_sorted_and_the_others_follow_as_in_the_list(alice: User, bob: User) -> None:
    fill(bob, 30, content="'감자'")
    fill_with_titles(alice, 1500)
    assert [title.removesuffix(" 감자") for title in titles(alice, "감자")] == relevant_and_then_as_in_the_list(1500)


def test_what_is_written_and_deleted_between_two_pages_loses_and_doubles_nothing(alice: User) -> None:
    """These changes move the end of the pool, unless the cursor keeps it."""
    fill_with_titles(alice, 1400)
    found: list[str] = []
    for number, page in enumerate(pages_of(alice, "감자")):
        found += [note.title.removesuffix(" 감자") for note in page.notes]
        if number % 10 == 0:
            service.create_note(alice.id, f"new {number}", "감자")
            service.delete_note(alice.id, int(page.notes[0].id))
    old = [title for title in found if not title.startswith("new")]
    assert len(old) == len(set(old))
    assert set(old) == {f"note {number}" for number in range(1, 1401)}


def test_a_rare_word_that_becomes_frequent_between_two_pages_is_found_to_its_end(alice: User) -> None:
    fill(alice, 660, content="CASE WHEN number % 2 = 0 THEN '감자' ELSE '' END")
    pages = pages_of(alice, "감자")
    found = [note.title for note in next(pages).notes]
    fill(alice, 800, content="'감자 #new'")
    found += [note.title for page in pages for note in page.notes]
    assert {f"note {number}" for number in range(2, 661, 2)} <= set(found)


def test_a_made_up_cursor_is_no_error(signed_in: Visitor, listed: dict[str, int]) -> None:
    for before in ["1-0-1-1-0-0-0-0", "6-1-9-9-1-9-9-5"]:
        for query in ["", "q=감자", "tag=책", "q=%23a+%23b"]:
            assert signed_in.get(f"/notes?{query}&before={before}").status_code == 200, (before, query)


def test_hits_stand_under_no_day_and_say_when_they_were_written(signed_in: Visitor, alice: User) -> None:
    fill(alice, PAGE_SIZE + 5, content="'감자'", created_at="now() - interval '400 days'")
    db.session.commit()
    page = signed_in.get("/notes?q=감자").text
    assert headings(page) == []
    heading = '<h2 class="visually-hidden continued">Search results</h2>'
    assert heading in page
    assert page.count("<time datetime=") == PAGE_SIZE
    older = signed_in.get(older_of(page).replace("&amp;", "&")).text
    assert heading in older
    assert older.count("<article") == 5
