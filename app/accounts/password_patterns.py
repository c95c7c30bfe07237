"""Weak passwords that follow a pattern: repetitions, runs on a keyboard, telephone numbers. Pure."""

import re

from app.accounts.password_spelling import collapsed, compact, core, letters, unshifted

LEAST_LEFT = 4  # characters beside a pattern; with fewer, they are its decoration
COLLAPSED = 8  # characters; where so many are left of runs of one character, the runs do not matter

# Rows and columns of keys, the alphabet and the digits, each read in both directions and from its end to its beginning.
SEQUENCES = (
    "1234567890-=", "0123456789", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./", "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmik,ol.p;/", "qawsedrftgyhujikolp",
    "zaq1xsw2cde3vfr4bgt5nhy6mju7", "zaqxswcdevfrbgtnhymju", "1qazxsw23edcvfr45tgbnhy6",
    "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "qpwoeiruty", "147258369", "741852963", "789456123",
    "02468", "13579",
    "abcdefghijklmnopqrstuvwxyz", "a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ",
    "가나다라마바사아자차카타파하", "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ", "ㅏㅑㅓㅕㅗㅛㅜㅠㅡㅣ",
)  # fmt: skip
_RUNS = tuple(run for sequence in SEQUENCES for run in (sequence * 2, sequence[::-1] * 2))
LEAST_RUN = 3  # characters of a sequence that count as one thing to guess
LEAST_IN_RUNS = 6  # characters; fewer are in runs by chance
MOST_THINGS = 4  # runs, and characters beside them: 123 qwe asd zxc

_PHONE = r"(?:82|0)[1-9]\d{7,9}"  # of Korea, with or without the code of the country
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{0,8}"  # and another date, or four digits behind it
_NUMBER = re.compile(rf"[^\W\d_]{{0,3}}(?:{_PHONE}|{_DATE})[^\W\d_]{{0,3}}")


def is_repeated(password: str) -> bool:
    """One thing again and again, whatever its length, or hardly more than runs of one character.

    Args:
        password: folded.
    """
    word = core(password)
    texts = {password, compact(password)} | ({compact(word)} if len(letters(word)) >= LEAST_LEFT else set())
    texts |= {text[::-1] for text in texts}
    return len(set(password)) <= 2 or any(_repeats_a_unit(text) or _is_runs_of_one(text) for text in texts)


def _repeats_a_unit(text: str) -> bool:
    """Whether three quarters of the text or more repeat how it begins: abcabcab, footballfootball12."""
    for size in range(1, len(text) // 2 + 1):
        covered = size
        while covered < len(text) and text[covered] == text[covered - size]:
            covered += 1
        if covered >= 2 * size and covered * 4 >= len(text) * 3:
            return True
    return False


def _is_runs_of_one(text: str) -> bool:
    """Whether half of the text or more goes, and too little is left, when its runs are collapsed: aaaaaaaaabc."""
    left = len(collapsed(text))
    return left < COLLAPSED and left * 2 <= len(text)


def is_sequence(password: str) -> bool:
    """Runs over a keyboard, an alphabet or the digits, and hardly anything else: qwertyuiop, !qaz2wsx, abcdefg12345.

    Args:
        password: folded.
    """
    keys = unshifted(password)
    return any(_is_runs(text) for text in {keys, compact(password), collapsed(keys)})


def _is_runs(text: str) -> bool:
    runs = in_runs = position = 0
    while position < len(text):
        length = _run_length(text, position)
        if length >= LEAST_RUN:
            runs, in_runs = runs + 1, in_runs + length
        position += length if length >= LEAST_RUN else 1
    return in_runs >= LEAST_IN_RUNS and runs + len(text) - in_runs <= MOST_THINGS


def _run_length(text: str, start: int) -> int:
    """The length of the longest run that begins there."""
    end = start + 1
    while end < len(text) and any(text[start : end + 1] in run for run in _RUNS):
        end += 1
    return end - start


def is_number(password: str) -> bool:
    """A telephone number or a date, however it is written: 010-1234-5678, 1990.01.01."""
    return _NUMBER.fullmatch(compact(password)) is not None
