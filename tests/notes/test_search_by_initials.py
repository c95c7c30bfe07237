"""Search by initial consonants: ㄱㅈ finds 감자, down to the middle of a word, and by an index."""

import pytest

from app.accounts.models import User
from app.notes import listing, service
from app.notes.search import Search, highlight

NOTES = {
    "감자튀김": "소금을 뿌린다 #요리",
    "회의": "다음 주 강의실, 홍길동 강사",
    "웃음": "그거 보고 ㅋㅋㅋ 했다. 정말 ㄳ 합니다",
    "kebab": "English alone",
}


@pytest.fixture
def notes(alice: User) -> None:
    for title, content in NOTES.items():
        service.create_note(alice.id, title, content)


def found(user: User, query: str) -> set[str]:
    return {note.title for note in listing.list_notes(user.id, search=Search.parse(query)).notes}


def test_it_finds_syllables_that_begin_so(alice: User, notes: None) -> None:
    for query, titles in [
        ("ㄱㅈ", {"감자튀김"}),
        ("ㄱㅈㅌㄱ", {"감자튀김"}),
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
        ("ㄲㅈ", set()),
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
