"""Search: all words occur in the title or text, down to one Korean syllable or its initial consonant."""

import re
import unicodedata

import pytest

from app.accounts.models import User
from app.notes import listing, service
from app.notes.search import Search, highlight
from tests.database import row_counts
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
    ]:
        assert found(alice, query) == titles, (query, titles)


def test_it_finds_nothing(alice: User, notes: dict[str, int]) -> None:
    for query in ["없는말", "반 없는말", "\\\\", "1_2", "1%2", "C:%", "#하", "#하늘 #요리", "{반}"]:
        assert found(alice, query) == set(), query


def test_a_word_does_not_reach_from_the_title_into_the_text(alice: User) -> None:
    service.create_note(alice.id, "반", "달")
    assert found(alice, "반달") == set()
    assert found(alice, "반 달") == {"반"}


def test_a_tag_is_chosen_by_its_name_and_narrows_a_search(alice: User, notes: dict[str, int]) -> None:
    assert found(alice, "", "하늘") == {"반달", "Books"}
    assert found(alice, "달은", "하늘") == {"반달"}
    assert found(alice, "", "하") == set()
    assert found(alice, "", "x" * 5000) == set()


def test_it_takes_five_words_of_a_hundred_characters(alice: User) -> None:
    service.create_note(alice.id, "가 나 다 라 마", "")
    assert found(alice, "가 나 다 라 마 바 사") == {"가 나 다 라 마"}
    assert len(Search.parse("가" * 5000).text) == 100
    assert Search.parse("가 나 다 라 마 바").text == "가 나 다 라 마"


def test_the_page_highlights_the_hits_and_keeps_the_query(signed_in: Visitor, notes: dict[str, int]) -> None:
    page = signed_in.get("/notes", query_string={"q": "<B> path"}).text
    assert "<mark>path</mark>" in page
    assert "<mark>&lt;b&gt;</mark>bold" in page
    assert 'value="&lt;B&gt; path"' in page
    assert "감자수제비</bdi>" not in page


def test_without_a_hit_it_offers_to_clear_the_search(signed_in: Visitor, notes: dict[str, int]) -> None:
    page = signed_in.get("/notes?q=nothing-like-it").text
    assert "No notes match “nothing-like-it”." in page
    assert 'href="/notes">Clear search</a>' in page


def test_no_query_is_an_error_or_changes_anything(signed_in: Visitor, notes: dict[str, int]) -> None:
    for query in ["%00", "%ff%fe", "%ed%a0%80", "%EF%BF%BF", "x" * 3000, "%23", "((((", "%5C", "%E2%80%AE"]:
        before = row_counts()
        for name in ("q", "tag"):
            assert signed_in.get(f"/notes?{name}={query}").status_code == 200, query
        assert row_counts() == before, query


def test_show_older_keeps_query_and_tag(signed_in: Visitor, alice: User) -> None:
    for number in range(21):
        service.create_note(alice.id, f"반달 {number}", "#하늘")
    page = signed_in.get("/notes", query_string={"q": "반", "tag": "하늘"}).text
    older = re.search(r'href="(/notes\?before=[^"]+)" rel="next"', page)
    assert older
    page = signed_in.get(older[1].replace("&amp;", "&")).text
    assert "<mark>반</mark>달 0" in page
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


def test_the_syllables_found_are_marked() -> None:
    for word, marked in [
        ("ㄱㅈ", "햇<mark>감자</mark>와 <mark>고주</mark>"),
        ("감ㅈ", "햇<mark>감자</mark>와 고주"),
        ("ㄱ", "햇<mark>감</mark>자와 <mark>고</mark>주"),
        ("ㅎㄱㅈ", "<mark>햇감자</mark>와 고주"),
    ]:
        assert highlight("햇감자와 고주", [word]) == marked, (word, marked)
