"""Passwords that are refused as easy to guess (ASVS 5.0 V6.2.4, V6.2.11 and V6.2.12), and sentences that are not."""

from app.accounts.password_policy import MAX_LENGTH, Weakness, on_latin_keyboard, weakness
from tests.accounts.passwords import ACCEPTED, NAMES, REFUSED

NAMED = [
    ("Alice Kim", "alicekim2026"), ("Alice Kim", "kim-alice-1"), ("alice.kim@example.com", "AliceKim!!11"),
    ("hong-kildong@example.com", "hongkildong1"), ("hongkildong@example.com", "hong.kildong"),
    ("홍길동", "홍길동 1234!!"), ("홍길동", "ghdrlfehd1!"), ("alice+shop@example.com", "alice_shop.1"),
    ("alice1999@example.com", "alice2026!!"), ("al", "al12345-678"), ("O'Brien", "obrien!2026"),
]  # fmt: skip


def test_a_password_that_is_tried_first_is_refused() -> None:
    assert [(password, weakness(password, NAMES)) for password, _ in REFUSED] == REFUSED


def test_a_name_is_refused_however_its_parts_are_joined() -> None:
    assert [password for name, password in NAMED if weakness(password, [name]) != Weakness.NAME] == []
    assert [name for name, password in NAMED if weakness(f"{password} beside a long sentence", [name])] == []


def test_a_sentence_or_a_random_password_is_accepted() -> None:
    assert [password for password in ACCEPTED if weakness(password, NAMES)] == []


def test_names_of_nobody_refuse_nothing() -> None:
    assert weakness("a long enough sentence", ("", "a", "@", "@example.com")) is None


def test_the_longest_password_is_read() -> None:
    assert weakness("the cat reads at night and " * 4 + "sleeps"[: MAX_LENGTH - 108]) == Weakness.REPEATED
    assert weakness("0" + "1" * (MAX_LENGTH - 1)) == Weakness.REPEATED


def test_hangul_is_read_as_the_keys_that_type_it() -> None:
    keys = {
        "세미서클": "tpaltjzmf",
        "뷁": "qnpfr",
        "값을 ㅘㄳ": "rkqtdmf hkrt",
        "달 moon 7": "ekf moon 7",
    }  # not renamed
    assert {hangul: on_latin_keyboard(hangul) for hangul in keys} == keys
