"""Stemming of Korean words: what differs only by a particle has one stem, and nothing else has."""

from pathlib import Path

import pytest

from app.wordcounts.analysis import particles
from app.wordcounts.analysis.particles import WHOLE_WORDS, stems
from app.wordcounts.analysis.text import document
from app.wordcounts.analysis.words import STOP_WORDS, count

PAGES = sorted((Path(__file__).parent / "pages").glob("*.html"))


def groups_of(words: str) -> dict[str, set[str]]:
    """Return the forms of each stem, itself among them if it is a word, in a page of these words."""
    page = words.split()
    stem_of = stems(dict.fromkeys(page, 1))
    groups = {stem: {stem} & {*page} for stem in stem_of.values()}
    for form, stem in stem_of.items():
        groups[stem].add(form)
    return groups


# The words of a page, and the stem that all of them are counted under.
TOGETHER = {
    "달 달은 달을 달이 달의 달에 달과 달로 달도 달만": "달",
    "나무 나무는 나무를 나무가 나무의 나무에 나무와 나무로 나무나": "나무",
    "집 집에서 집에서는 집에서도 집까지 집부터 집으로 집으로는": "집",
    "학생 학생에게 학생한테 학생에게는 학생께서 학생처럼 학생보다 학생이나 학생이라도 학생이란": "학생",
    "서울 서울로 서울로는": "서울",  # ㄹ takes 로 as a vowel does
    "아이 아이는 아이가 아이를": "아이", "나라 나라는 나라도 나라의": "나라", "사과 사과는 사과와 사과를": "사과",
    "회의 회의는 회의에서 회의의": "회의", "고양이 고양이는 고양이나 고양이의": "고양이",
    "회로 회로는 회로도 회로가": "회로", "지도 지도에 지도에서": "지도", "민주주의 민주주의는 민주주의의": "민주주의",
    "집 집만 집만의": "집",  # one particle behind another
    "우리 우리가 우리에게": "우리", "바다 바다는 바다가": "바다",
    # Without the stem itself.
    "배포판을 배포판에": "배포판", "관리자는 관리자가": "관리자", "터미널은 터미널을": "터미널", "점은 점에": "점",
    "학교에서는 학교를": "학교", "나라에서는 나라의": "나라",
}  # fmt: skip

# Pages in which every word is counted by itself.
APART = [
    "나 나라",
    "나 나는 나도",  # stop words are nobody's forms, and few are stems
    "있다 있다는 있다가", "제공하지 제공하지만", "에서 에서만 에서와", "하지 하지만", "하 하는", "아 아이", "사 사과",
    "회 회의", "회 회로는", "지 지도", "어린 어린이", "종 종이", "고양 고양이", "들어 들어가 들어와", "우리 우리나라",
    "마 마을",
    "달 달이다 달입니다 달이고",  # the copula
    "사용 사용하는 사용하고 사용하여", "달 달들 달님", "달 반달은", "달은",
    "달을 달이 달은",  # one syllable could be a verb's, as the next ones are
    "많은 많을 많이", "읽은 읽을", "괜찮은 괜찮을", "사용하는 사용하나", "찾아가 찾아와", "바나 바나나",
    # The final consonant, or its absence, forbids the particle.
    "나무 나무은 나무을 나무이 나무과 나무으로", "달 달는 달를 달가 달와", "집 집로", "서울 서울으로", "ㅋ ㅋ는 ㅋ도",
    "moon moon는", "3 3은", "月 月은", "… …은", "은 은은", "가 가가 가는", "이",
]  # fmt: skip


def test_forms_of_one_word_are_together() -> None:
    together = {words: {stem: set(words.split())} for words, stem in TOGETHER.items()}
    assert {words: groups_of(words) for words in TOGETHER} == together


def test_words_that_only_look_like_forms_are_apart() -> None:
    assert {words: groups_of(words) for words in APART if groups_of(words)} == {}


def test_a_stem_that_is_no_word_of_the_page_takes_no_form_from_one_that_is() -> None:
    tiger = {"호랑이": {"호랑이", "호랑이는"}}
    assert groups_of("호랑이 호랑이는 호랑을 호랑에") == {**tiger, "호랑": {"호랑을", "호랑에"}}
    assert groups_of("호랑이 호랑이는 호랑에") == tiger


@pytest.mark.parametrize("page", [PAGES[0], PAGES[-1]], ids=lambda page: page.stem)  # one of each language
def test_on_a_real_page_only_korean_words_have_a_stem_and_no_stem_has_one(page: Path) -> None:
    words = count(document(page.read_text(encoding="utf-8")).text).result_all
    stem_of = stems(words)
    assert (len(stem_of) > 80) == page.stem.startswith("ko")
    assert stem_of.keys() <= words.keys()
    assert not set(stem_of.values()) & stem_of.keys()
    assert all(form.startswith(stem) and len(form) > len(stem) for form, stem in stem_of.items())


def test_a_word_alone_has_no_stem() -> None:
    assert [word for word in ("", "'", "달", "은", "가" * 100) if stems({word: 1})] == []


def test_the_order_of_the_words_does_not_matter() -> None:
    words = " ".join(TOGETHER).split()
    assert groups_of(" ".join(words)) == groups_of(" ".join(reversed(words)))


def test_a_whole_word_is_listed_only_if_a_particle_could_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set() == WHOLE_WORDS & STOP_WORDS
    monkeypatch.setattr(particles, "NEVER_SPLIT", STOP_WORDS)
    monkeypatch.setattr(particles, "WHOLE_WORDS", frozenset())
    monkeypatch.setattr(particles, "_candidates", particles._candidates.__wrapped__)  # what is cached is the rule
    for word in WHOLE_WORDS:
        beginnings = {word[:length] for length in range(1, len(word))}
        assert word in stems(dict.fromkeys((*beginnings, word), 1)), word
