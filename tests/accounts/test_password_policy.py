"""Which passwords are refused as easy to guess (ASVS 5.0 V6.2.4, V6.2.11 and V6.2.12), and which sentences are not."""

import pytest

from app.accounts.password_policy import Weakness, weakness

NAMES = ("하늘", "Kim.Seoyeon", "carol.smith@example.com")


@pytest.mark.parametrize(
    ("password", "found"),
    [
        *((password, Weakness.REPEATED) for password in (
            "aaaaaaaaaa", "AAAAaaaaAA", "abcabcabcabc", "abababababa", "1234123412", "aaaaaaaaab", "1111122222",
            "사랑해사랑해사랑해사", "!!!!!!!!!!", "          ",
        )),
        *((password, Weakness.SEQUENCE) for password in (
            "qwertyuiop", "QWERTYuiop", "poiuytrewq", "1234567890", "0987654321", "abcdefghij", "zyxwvutsrq",
            "qwer1234asdf", "1q2w3e4r5t6y", "1qaz2wsx3edc", "qwertyuiop123",
            "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋ",
            "가나다라마바사아자차", "asdfasdf1234",
        )),
        *((password, Weakness.NAME) for password in (
            "semicircle", "semicircle123", "SemiCircle!", "s3m1c1rcl3!", "123semicircle", "semicircle-semicircle",
            "세미서클2026!!", "세미서클세미서클123", "tpaltjzmf12", "하늘12345678", "하늘하늘 2026!!", "carol.smith",
            "Carol.Smith99", "c4r0l.sm1th!", "carol.smith@example.com", "kim.seoyeon!1",
        )),
        *((password, Weakness.COMMON) for password in (
            "Password123!", "P@ssw0rd123!", "password1234", "iloveyou1234", "dkssudgktpdy", "basketball99!!",
        )),
    ],
)  # fmt: skip
def test_a_password_that_is_tried_first_is_refused(password: str, found: Weakness) -> None:
    assert weakness(password, NAMES) == found


@pytest.mark.parametrize(
    "password",
    [
        "반만 적어 두세요 나머지", "오늘은 하늘이 참 맑네요", "a long enough sentence", "correct horse battery",
        "carol.smith likes tea", "semicircle is half a moon", "Xk3#9pQz!m", "qwerty is my keyboard", "1984 was a book",
        "abcd but not only that", "달과 별과 바람과 시",
    ],
)  # fmt: skip
def test_a_sentence_or_a_random_password_is_accepted(password: str) -> None:
    assert weakness(password, NAMES) is None


def test_names_of_nobody_refuse_nothing() -> None:
    assert weakness("a long enough sentence", ("", "a", "@", "@example.com")) is None
