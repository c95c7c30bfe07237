"""The words that are one key away from a typed one, and the regular expression that finds them."""

import re

import pytest

from app.notes.spelling import are_neighbours, near_pattern, near_words


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("meetng", "meeting"),  # missing
        ("meeeting", "meeting"),  # doubled
        ("meetimg", "meeting"),  # the key beside it
        ("meetign", "meeting"),  # swapped
        ("Meetng", "meeting"),
        ("감쟈", "감자"),
        ("감저", "감자"),
        ("가맞", "감자"),  # swapped across the syllables
        ("ㄱ감자", "감자"),
        ("감자ㅏ", "감자"),
        ("가자", "감자"),
        ("까치", "가치"),  # with shift
        ("회으", "회의"),
        ("mneeting", "meeting"),  # two keys at once
    ],
)
def test_it_is_a_likely_slip(typed: str, meant: str) -> None:
    assert near_words(typed)[meant] is True


@pytest.mark.parametrize(("typed", "meant"), [("meetqng", "meeting"), ("mebting", "meeting"), ("감푸", "감자")])
def test_any_other_key_is_less_likely_or_too_far(typed: str, meant: str) -> None:
    assert near_words(typed).get(meant) in (False, None)


@pytest.mark.parametrize(
    ("typed", "far"),
    [("mtng", "meeting"), ("감쟈", "감쟈"), ("meeting", "meeting"), ("감쟈", "고자"), ("고양아", "강아")],
)
def test_two_keys_are_too_far_and_none_is_no_slip(typed: str, far: str) -> None:
    assert far not in near_words(typed)


@pytest.mark.parametrize(
    "typed", ["", "달", "a", "ㄱㅈ", "ㄳ", "ㅏㅏ", "2026", "a4", "#태그", "c++", "a" * 17, "가" * 9]
)
def test_nothing_is_near_what_is_too_short_or_long_or_no_word(typed: str) -> None:
    assert near_words(typed) == {}


def test_all_of_them_are_words() -> None:
    for typed in ("감쟈", "튀김", "읽다", "meetng"):
        near = near_words(typed)
        assert typed not in near
        assert all(re.fullmatch("[가-힣a-z]{2,}", word) for word in near)


def test_the_number_of_them_is_bounded() -> None:
    assert 800 < len(near_words("abcdefghijklmnop")) < 900
    assert 200 < len(near_words("가나다라마바사아")) < 1000


@pytest.mark.parametrize("typed", ["감쟈", "감자튀긴", "meetng", "abcdefghijklmnop"])
def test_the_pattern_finds_each_of_them_at_the_beginning_of_a_word_and_nothing_else(typed: str) -> None:
    near = near_words(typed)
    pattern = near_pattern(typed)
    assert len(pattern) < 3000
    for word in near:
        for text in (word, f"a ({word}) b", f"a\n{word}"):
            match = re.search(pattern, text)
            assert match
            assert match[1] in near
        assert not re.search(pattern, f"가{word}")


def test_of_few_keys_it_must_be_the_whole_word() -> None:
    pattern = near_pattern("teh")
    assert re.search(pattern, "in the box")
    assert re.search(pattern, "in the")
    assert not re.search(pattern, "in these boxes")


@pytest.mark.parametrize(
    ("key", "other"), [("a", "s"), ("a", "q"), ("g", "b"), ("ㅏ", "ㅑ"), ("ㄱ", "ㄲ"), ("ㅗ", "ㅓ")]
)
def test_keys_beside_each_other_are_neighbours(key: str, other: str) -> None:
    assert are_neighbours(key, other)
    assert are_neighbours(other, key)


@pytest.mark.parametrize(("key", "other"), [("a", "l"), ("q", "z"), ("ㅏ", "ㄱ"), ("é", "e")])
def test_others_are_not(key: str, other: str) -> None:
    assert not are_neighbours(key, other)
