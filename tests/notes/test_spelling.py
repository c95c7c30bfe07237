"""Spelling correction: the keys that type a word, the words one key away, and the expression that finds those."""

import re
import unicodedata

from app.notes import spelling
from app.notes.spelling import SYLLABLES, are_neighbours, keys_of, near_pattern, near_words


def test_every_syllable_is_typed_by_its_keys() -> None:
    assert [chr(code) for code in SYLLABLES if spelling.typed(keys_of(chr(code))) != chr(code)] == []


def test_each_key_is_a_jamo_or_a_letter() -> None:
    for word, keys in [
        ("꺾쇠", "ㄲㅓㄲㅅㅗㅣ"),
        ("없다", "ㅇㅓㅂㅅㄷㅏ"),
        ("ㄳ", "ㄱㅅ"),
        ("한글 abc", "ㅎㅏㄴㄱㅡㄹ abc"),
        ("café", "café"),
        (unicodedata.normalize("NFD", "달"), "ㄷㅏㄹ"),
    ]:
        assert keys_of(word) == keys, (word, keys)


def test_keys_make_syllables_as_an_input_method_composes_them() -> None:
    for keys, word in [
        ("ㄱㅏㄱㅏ", "가가"),  # a consonant before a vowel begins the next syllable
        ("ㄱㅏㄱㅅㅏ", "각사"),
        ("ㄱㅏㄸㅏ", "가따"),  # no syllable ends with ㄸ
        ("ㄱㅏㄸ", "가ㄸ"),
        ("ㄱㄱㅏ", "ㄱ가"),
        ("ㅇㅗㅏㅇ", "왕"),
    ]:
        assert spelling.typed(keys) == word, (keys, word)


def test_it_is_a_likely_slip() -> None:
    for typed, meant in [
        ("meetng", "meeting"),  # missing
        ("meeeting", "meeting"),  # doubled
        ("meetimg", "meeting"),  # the key beside it
        ("meetign", "meeting"),  # swapped
        ("감쟈", "감자"),
        ("가맞", "감자"),  # swapped across the syllables
        ("ㄱ감자", "감자"),
        ("까치", "가치"),  # with shift
        ("mneeting", "meeting"),  # two keys at once
    ]:
        assert near_words(typed)[meant] is True, (typed, meant)


def test_any_other_key_is_less_likely_or_too_far() -> None:
    for typed, meant in [("meetqng", "meeting"), ("mebting", "meeting"), ("감푸", "감자")]:
        assert near_words(typed).get(meant) in (False, None), (typed, meant)


def test_two_keys_are_too_far_and_none_is_no_slip() -> None:
    for typed, far in [
        ("mtng", "meeting"),
        ("감쟈", "감쟈"),
        ("meeting", "meeting"),
        ("감쟈", "고자"),
        ("고양아", "강아"),
    ]:
        assert far not in near_words(typed), (typed, far)


def test_nothing_is_near_what_is_too_short_or_long_or_no_word() -> None:
    for typed in ["", "달", "a", "ㄱㅈ", "ㄳ", "ㅏㅏ", "2026", "a4", "#태그", "c++", "a" * 17, "가" * 9]:
        assert near_words(typed) == {}, typed


def test_the_number_of_them_is_bounded() -> None:
    assert 800 < len(near_words("abcdefghijklmnop")) < 900
    assert 200 < len(near_words("가나다라마바사아")) < 1000


def test_the_pattern_finds_each_of_them_at_the_beginning_of_a_word_and_nothing_else() -> None:
    for typed in ["감쟈", "감자튀긴", "meetng", "abcdefghijklmnop"]:
        near = near_words(typed)
        pattern = near_pattern(typed)
        assert len(pattern) < 3000, typed
        for word in near:
            for text in (word, f"a ({word}) b", f"a\n{word}"):
                match = re.search(pattern, text)
                assert match, typed
                assert match[1] in near, typed
            assert not re.search(pattern, f"가{word}"), typed


def test_of_few_keys_it_must_be_the_whole_word() -> None:
    pattern = near_pattern("teh")
    assert re.search(pattern, "in the box")
    assert re.search(pattern, "in the")
    assert not re.search(pattern, "in these boxes")


def test_keys_beside_each_other_are_neighbours() -> None:
    for key, other in [("a", "s"), ("a", "q"), ("g", "b"), ("ㅏ", "ㅑ"), ("ㄱ", "ㄲ"), ("ㅗ", "ㅓ")]:
        assert are_neighbours(key, other), (key, other)
        assert are_neighbours(other, key), (key, other)
    for key, other in [("a", "l"), ("q", "z"), ("ㅏ", "ㄱ"), ("é", "e")]:
        assert not are_neighbours(key, other), (key, other)
