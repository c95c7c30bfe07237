"""Text to tokens, counts and phrases that can be stored; and stems in Korean."""

import json
from pathlib import Path

import pytest

from app.wordcounts.analysis import particles, words
from app.wordcounts.analysis.particles import WHOLE_WORDS, stems
from app.wordcounts.analysis.text import document
from app.wordcounts.analysis.words import LONGEST_WORD, PHRASES_KEPT, STOP_WORDS, WORDS_KEPT, by_frequency, count

WORDS = {
    "single quotes around Korean are none of the word": (
        "‘달력’은 '달력'은 ＇달력＇은 ‚달력‘은 ‛달력’은 `달력`은 ´달력´은 ′달력′은 「달력」은",
        {"달력": 9, "은": 9},
    ),
    "nor around what a Korean particle follows": ("‘AI’를 'AI'를 (‘AI’)를 ‘café’를", {"ai": 3, "를": 4, "café": 1}),
    "nor of japanese, chinese, thai": ("‘アプリ’が ‘データー’AI ‘東’AI ‘ไทย’และ", {
        "アプリ": 1, "が": 1, "データー": 1, "ai": 2, "東": 1, "ไทย": 1, "และ": 1,
    }),
    "apostrophes and primes of others stay": (
        "l’amour rock ’n’ roll ’90s dogs’ O'Brien Hawaiʻi об’єкт 1'000 don’t를",
        {"l'amour": 1, "rock": 1, "n": 1, "roll": 1, "90s": 1, "dogs": 1, "o'brien": 1, "hawaiʻi": 1, "об'єкт": 1,
         "1'000": 1, "don't": 1, "를": 1},
    ),
    "apostrophes of all kinds are one": ("Don't don’t don‘t don‛t don´t can't", {"don't": 5, "can't": 1}),
    "case is folded": ("Straße STRASSE", {"strasse": 2}),
    "accents are composed": ("cafe\u0301 café", {"café": 2}),
    "folding leaves letters composed": ("ΐ", {"ΐ": 1}),
    "a soft hyphen parts nothing": ("x\u00ady", {"xy": 1}),
    "an invisible character parts nothing": ("x\u200by\u200dz\u2060a\ufeffb", {"xyzab": 1}),
    "hangul ends where latin begins": ("Rust를 Rust는 rust", {"rust": 3, "를": 1, "는": 1}),
    "and where digits begin": ("IT업계 COVID-19는", {"it": 1, "업계": 1, "covid": 1, "19": 1, "는": 1}),
    "taken apart hangul is composed": ("\u1112\u1161\u11ab글", {"한글": 1}),
    "lone letters of hangul stay what they are": ("ㅋㅋㅋ 안녕ㅋㅋ ㅠㅠ", {"ㅋㅋㅋ": 1, "안녕ㅋㅋ": 1, "ㅠㅠ": 1}),
    "a blank letter of hangul is not a word": ("\u3164 \u115f \u1160 \uffa0 한\u3164글", {"한글": 1}),
    "symbols are no words": ("👩‍👩‍👧 🇰🇷 ok — … __ _ ‿", {"ok": 1}),
    "chinese characters are one each, katakana runs one": ("東京 カタカナ", {"東": 1, "京": 1, "カタカナ": 1}),
    "numbers and names of programs": ("3.14 1,000,000 a_b v2.0", {"3.14": 1, "1,000,000": 1, "a_b": 1, "v2.0": 1}),
    "hyphens part": ("state-of-the-art 11-21", {"state": 1, "of": 1, "the": 1, "art": 1, "11": 1, "21": 1}),
    "an address is two": ("foo@example.com", {"foo": 1, "example.com": 1}),
    "the last full stop is none of the word": ("U.S.A. end.", {"u.s.a": 1, "end": 1}),
    "full width letters are letters": ("ＡＢＣ ﬁn", {"abc": 1, "fin": 1}),
    "a dotted capital keeps its dot": ("İstanbul", {"i̇stanbul": 1}),
    "nothing": ("", {}),
    "nothing but white space": (" \n\t\u3000", {}),
}  # fmt: skip


def test_words() -> None:
    for what, (text, counted) in WORDS.items():
        counts = count(text)
        assert counts.result_all == counted, what
        assert counts.total_words == sum(counted.values())
        assert counts.unique_words == len(counted)


def test_stop_words_are_left_out_of_their_own_list_and_no_other() -> None:
    counts = count("Rust를 Rust는 rust")
    assert counts.result_no_stop_words == {"rust": 3}
    assert (counts.total_words, counts.content_words) == (5, 3)
    # Stop words of both languages in one text.
    counts = count("The computer is on the home page. 이 컴퓨터 의 사용 및 설명 수 있습니다. Don't dont don’t")
    assert list(counts.result_no_stop_words) == ["computer", "home", "page", "사용", "설명", "컴퓨터"]


def test_every_stop_word_is_one_word_in_the_form_that_is_counted_and_none_of_content() -> None:
    """One in another form, such as with a capital, would never match."""
    content = "computer system home page world value welcome hello ill shell 함수 사용 한국"
    assert STOP_WORDS.isdisjoint(content.split())
    assert 350 <= len(STOP_WORDS) <= 550
    assert count("\n".join(STOP_WORDS)).result_all == dict.fromkeys(sorted(STOP_WORDS), 1)


def test_the_most_frequent_come_first_and_then_by_code_points() -> None:
    assert by_frequency({"b": 1, "가": 2, "a": 1, "c": 2}) == [("c", 2), ("가", 2), ("a", 1), ("b", 1)]
    assert list(count("b a 가 c 가 c").result_all) == ["c", "가", "a", "b"]


def test_the_most_frequent_are_kept_and_the_totals_are_of_all() -> None:
    text = "\n".join(f"w{number}" for number in range(WORDS_KEPT))
    assert not count(text).truncated
    counts = count(f"{text} zebra zebra")
    assert counts.truncated
    assert (counts.total_words, counts.unique_words) == (WORDS_KEPT + 2, WORDS_KEPT + 1)
    assert len(counts.result_all) == len(counts.result_no_stop_words) == WORDS_KEPT
    assert next(iter(counts.result_all.items())) == ("zebra", 2)


def test_phrases_occur_twice_and_end_with_their_line() -> None:
    counts = count("to be or not\nto be\nor\nnot to be or not")
    assert counts.phrases["2"] == {"to be": 3, "be or": 2, "or not": 2}
    assert counts.phrases["3"] == {"to be or": 2, "be or not": 2}
    assert count("a b a x b a y b").phrases["2"] == {"b a": 2}  # no word that occurs once is skipped


def test_the_50_most_frequent_phrases_are_kept_the_earliest_of_equals() -> None:
    lines = [f"left{number} right{number}" for number in range(PHRASES_KEPT + 10)]
    phrases = count("\n".join([*lines, *lines, lines[-1]])).phrases["2"]
    assert list(phrases) == [lines[-1], *lines[: PHRASES_KEPT - 1]]


def test_a_text_with_more_words_than_are_cached_is_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(f"the {number % 7} of {number % 11} words" for number in range(400))
    remembered = count(text)
    monkeypatch.setattr(words, "CHUNKS_CACHED", 3)
    assert count(text) == remembered
    assert list(count(text).phrases["3"]) == list(remembered.phrases["3"])


def test_characters_are_counted_without_white_space() -> None:
    assert count("a b\u3000c,\n 한글.").characters == 7


def test_english_is_read_by_words_and_korean_by_characters() -> None:
    assert count("word " * 238).reading_seconds == 60
    assert count("한국 " * 250).reading_seconds == 60
    assert count("word " * 238 + "한국 " * 250).reading_seconds == 120
    assert count("word").reading_seconds == 1
    assert count("").reading_seconds == 0


def test_a_word_of_300_kb_is_one_and_stored_short() -> None:
    counts = count("x" * 300_000 + " " + "x" * LONGEST_WORD)
    assert counts.result_all == {"x" * (LONGEST_WORD - 1) + "…": 1, "x" * LONGEST_WORD: 1}
    assert counts.characters == 300_000 + LONGEST_WORD


def test_a_text_without_a_space_takes_linear_time() -> None:
    """ReDoS: a pattern that backtracks would take minutes."""
    for piece in ("a", "a'", "한'", "a'한", "a.", "한a", "_", "a\u0301", "\u0301", "1,", "'", "東"):
        times = 100_000 // len(piece)
        assert count(piece * times).characters == times * len(piece)


def test_what_is_stored_is_json_for_postgresql_and_of_some_megabytes() -> None:
    for text in ("a\0b", "a\ud800b", "\0"):
        stored = json.dumps(count(text), ensure_ascii=False)
        assert "\\u0000" not in stored
        assert stored.encode()
    text = " ".join(f"{number:06}" + "𐐀" * LONGEST_WORD for number in range(WORDS_KEPT + 100))
    assert len(json.dumps(count(text), ensure_ascii=False).encode()) < 5_000_000


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
