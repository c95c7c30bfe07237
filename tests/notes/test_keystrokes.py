"""A word is taken apart into the keys that type it on a Korean keyboard, and put together as an input method does."""

import unicodedata

import pytest

from app.notes.spelling import SYLLABLES, keys_of, typed


def test_every_syllable_is_typed_by_its_keys() -> None:
    assert [chr(code) for code in SYLLABLES if typed(keys_of(chr(code))) != chr(code)] == []


@pytest.mark.parametrize(
    ("word", "keys"),
    [
        ("감자", "ㄱㅏㅁㅈㅏ"),
        ("꺾쇠", "ㄲㅓㄲㅅㅗㅣ"),
        ("의사", "ㅇㅡㅣㅅㅏ"),
        ("없다", "ㅇㅓㅂㅅㄷㅏ"),
        ("ㄳ", "ㄱㅅ"),
        ("한글 abc", "ㅎㅏㄴㄱㅡㄹ abc"),
        ("café", "café"),
        (unicodedata.normalize("NFD", "달"), "ㄷㅏㄹ"),
    ],
)
def test_each_key_is_a_jamo_or_a_letter(word: str, keys: str) -> None:
    assert keys_of(word) == keys


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ("ㄱㅏㄱㅏ", "가가"),  # a consonant before a vowel begins the next syllable
        ("ㄱㅏㄱㅅㅏ", "각사"),
        ("ㄱㅏㄱㅅㅅㅏ", "갃사"),
        ("ㄱㅏㄸㅏ", "가따"),  # no syllable ends with ㄸ
        ("ㄱㅏㄸ", "가ㄸ"),
        ("ㄱㄱㅏ", "ㄱ가"),
        ("ㅏㅏ", "ㅏㅏ"),
        ("ㅇㅗㅏㅇ", "왕"),
        ("abc", "abc"),
    ],
)
def test_keys_make_syllables_as_an_input_method_composes_them(keys: str, word: str) -> None:
    assert typed(keys) == word
