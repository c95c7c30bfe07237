"""Passwords that are easy to guess, and ones that are not, for a person with these names."""

from app.accounts.password_policy import Weakness

NICKNAME, EMAIL = "하늘", "carol.smith@example.com"
NAMES = (NICKNAME, EMAIL)

REFUSED = [
    *((password, Weakness.REPEATED) for password in (
        "aaaaaaaaaa", "AAAAaaaaAA", "abcabcabcabc", "abababababa", "1234123412", "aaaaaaaaab", "1111122222",
        "사랑해사랑해사랑해사", "!!!!!!!!!!", "          ", "asdfasdf1234", "xabcabcabcabc",
        "안녕하세요안녕하세요", "비밀번호비밀번호12",
        "12비밀번호비밀번호", "비밀번호 비밀번호!!", "password password", "Football-football",
        "footballfootball 2026",
        "so sweet so sweet", "kx7mq2wkx7mq2w", "aaaaaaaaabc", "1111122222333", "aaaabbbbccccdddd",
        "hello!!!!!!!!!!",
        "a-a-a-b-b-b-c", "112233445566", "20262026xx",
    )),
    *((password, Weakness.SEQUENCE) for password in (
        "qwertyuiop", "QWERTYuiop", "poiuytrewq", "1234567890", "0987654321", "abcdefghij", "zyxwvutsrq",
        "qwer1234asdf", "1q2w3e4r5t6y", "1qaz2wsx3edc", "qwertyuiop123", "qwer1234asdf5678", "qwer-1234-asdf",
        "q w e r t y u i o p", "!QAZ2wsx#EDC", "!qaz2wsx#EDC", "!@#$%^&*()", "zaq1xsw2cde3", "1qazXSW23edc",
        "qazwsxedcrfv", "asdf;lkjasdf", "zxcvbnm,./", "qweasdzxc123", "1472583690", "a1b2c3d4e5", "01012345678",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋ", "가나다라마바사아자차", "가나다라 마바사 1234",
    )),
    *((password, Weakness.NUMBER) for password in (
        "01083749265", "010-8374-9265", "010 8374 9265!", "+82 10 8374 9265", "0283749265", "lee01083749265",
        "1987-06-15", "19870615!!", "1987.06.15 2019.10.09",
    )),
    *((password, Weakness.NAME) for password in (
        "semicircle", "semicircle123", "SemiCircle!", "s3m1c1rcl3!", "123semicircle", "semicircle-semicircle",
        "semi-circle-1", "semi circle 12", "semi_circle.12", "s-e-m-i-c-i-r-c-l-e", "sem!c!rcle", "elcricimes12",
        "ｓｅｍｉｃｉｒｃｌｅ", "semicircle notes", "세미서클2026!!", "세미서클세미서클123",
        "세미 서클 2026!", "tpaltjzmf12",
        "하늘12345678", "하늘하늘 2026!!", "gksmf12345678", "carol.smith", "Carol.Smith99", "c4r0l.sm1th!",
        "carolsmith2026", "smith_carol 1", "Carol+Smith!!", "lorac2026!!!", "carol.smith@example.com",
        "example2026!",
    )),
    *((password, Weakness.COMMON) for password in (
        "Password123!", "P@ssw0rd123!", "password1234", "iloveyou1234", "dkssudgktpdy", "basketball99!!",
        "Summer2026!", "2026summer!!", "$ummer2026", "welcome2026!", "p@ssword!!", "Pass-word 2026", "l3tm31n2026",
        "we1come2026", "monkey#2019#", "안녕하세요 2026", "비밀번호 2026!", "admin!@#2026", "dragon2dragon",
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
