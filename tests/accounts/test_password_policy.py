"""Passwords that are refused as easy to guess (ASVS 5.0 V6.2.4, V6.2.11 and V6.2.12), and sentences that are not."""

from app.accounts.password_policy import CONTEXT, MAX_LENGTH, Weakness, on_latin_keyboard, weakness

NICKNAME, EMAIL = "하늘", "carol.smith@example.com"
NAMES = (NICKNAME, EMAIL)
SITE, KOREAN_SITE = CONTEXT[:2]
LEET = str.maketrans("ieo", "130")

REFUSED = [
    *((password, Weakness.REPEATED) for password in (
        "aaaaaaaaaa", "AAAAaaaaAA", "          ", "abcabcabcabc", "xabcabcabcabc", "12비밀번호비밀번호",
        "footballfootball 2026", "so sweet so sweet", "aaaaaaaaabc", "aaaabbbbccccdddd", "a-a-a-b-b-b-c",
        "hello!!!!!!!!!!", "20262026xx", "aababbbabaab",
    )),
    *((password, Weakness.SEQUENCE) for password in (
        "qwertyuiop", "poiuytrewq", "qwertyuiop123", "1q2w3e4r5t6y", "1qaz2wsx3edc", "zaq1xsw2cde3", "qwer-1234-asdf",
        "q w e r t y u i o p", "!QAZ2wsx#EDC", "!@#$%^&*()", "zxcvbnm,./", "1472583690", "01012345678",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "가나다라 마바사 1234",
    )),
    *((password, Weakness.NUMBER) for password in (
        "010-8374-9265", "+82 10 8374 9265", "0283749265", "lee01083749265", "1987-06-15", "1987.06.15 2019.10.09",
    )),
    *((password, Weakness.NAME) for password in (
        SITE, f"123{SITE}", SITE.translate(LEET) + "!", f"{SITE[:4]}-{SITE[4:]}-1", "-".join(SITE),
        SITE.replace("i", "!"), f"{SITE[::-1]}12", "".join(chr(ord(letter) + 0xFEE0) for letter in SITE),
        f"{SITE} notes", f"{KOREAN_SITE[:2]} {KOREAN_SITE[2:]} 2026!", f"{on_latin_keyboard(KOREAN_SITE)}12",
        "하늘하늘 2026!!", "gksmf12345678", "Carol.Smith99", "smith_carol 1", "lorac2026!!!",
        "carol.smith@example.com", "example2026!",
    )),
    *((password, Weakness.COMMON) for password in (
        "Password123!", "P@ssw0rd123!", "iloveyou1234", "dkssudgktpdy", "2026summer!!", "$ummer2026", "p@ssword!!",
        "Pass-word 2026", "l3tm31n2026", "안녕하세요 2026", "dragon2dragon",
    )),
]  # fmt: skip

ACCEPTED = [
    # sentences
    "반만 적어 두세요 나머지", "오늘은 하늘이 참 맑네요", "a long enough sentence", "correct horse battery",
    "correct horse battery staple", "correct-horse-battery-staple", "달과 별과 바람과 시", "반짝반짝 작은 별!",
    "정말정말 좋은 하루였어요", "아침마다 커피를 두 잔 마셔요", "고양이는오늘도창문을본다",
    "웃겼다 그날 저녁 ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ",
    "the cat reads at night", "my first dog was called Rex", "twinkle twinkle little star",
    "we met in 2019 in Busan",
    "Nobody reads my diary!!", "three apples and 7 pears", "비 오는 날엔 파전이 최고", "우리집 강아지 이름은 보리",
    # a name, a row of keys, a year or a number beside words
    "carol.smith likes tea", "semicircle is half a moon", "qwerty is my keyboard", "1984 was a book",
    "abcd but not only that", "세미서클에 일기를 써요", "password of my bicycle", "call 01083749265 at night",
    # random ones
    "Xk3#9pQz!m", "kT9vLq2XwB", "f7Rw-9xKp-2mQz", "83#7f!2q$9Lw", "zgvexwqkup", "#$%!^&*()aQ7", "X#9$k!zz%qq&",
    "564d5456e5f3", "c9645f24011201a1", "@q6F}K9L,I", "RQpl@+D6=&", "5ae361l68d", "aa83k9#2!47$1q",
    "뷁쀍 껧7휊 쫋9",
]  # fmt: skip


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
