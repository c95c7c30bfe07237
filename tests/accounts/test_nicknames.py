"""Confusable nicknames have the same key, and mixed scripts are detected (Unicode TR 39)."""

import pytest

from app.accounts import nicknames


@pytest.mark.parametrize(
    ("one", "other"), [("Admin", "admin"), ("ＡＤＭＩＮ", "admin"), ("ﬁn", "fin"), ("straße", "STRASSE"), ("①", "1")]
)
def test_nicknames_that_look_alike_have_the_same_key(one: str, other: str) -> None:
    assert nicknames.key(one) == nicknames.key(other)


@pytest.mark.parametrize(("one", "other"), [("달", "말"), ("İ", "i"), ("ö", "o"), ("a b", "ab")])
def test_different_nicknames_have_different_keys(one: str, other: str) -> None:
    assert nicknames.key(one) != nicknames.key(other)


@pytest.mark.parametrize("name", ["\u0430dmin", "p\u0430ypal", "\u03bfh", "Иvan", "하늘Ж", "ab\u0561"])
def test_confusable_scripts_in_one_nickname_are_detected(name: str) -> None:
    assert nicknames.mixes_scripts(name)


@pytest.mark.parametrize(
    "name", ["하늘 Sky 7", "ﬁn", "空の人々", "データ", "Ｓｋｙ", "Дима", "Αλφα", "עברית", "☾☀", "ㅋㅋㅋ"]
)
def test_permitted_script_combinations_are_not_mixed(name: str) -> None:
    assert not nicknames.mixes_scripts(name)
