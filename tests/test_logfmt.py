"""logfmt: what is written can be read again, and a line that is too long loses its middle."""

import pytest

from app.web.logs import LONGEST_LINE, line
from tests.logfmt import parse

TEXTS = [
    *("", " ", '"', "\\", '\\"', "a b", "a=b", "one\ntwo\r\n\ttab"),
    *("\x1b[31mred", "줄\u2028바꿈", "\u202eright to left", "\x85"),
]


def test_a_value_is_read_as_it_was_written_and_is_printable() -> None:
    for text in [*TEXTS, *(f"a{text}" * 9 + "\\" for text in TEXTS), "word", "0.5", "한글"]:
        written = line({"at": "test", "msg": text, "ms": 1})
        assert parse(written) == {"at": "test", "msg": text, "ms": "1"}
        assert written.isprintable()
    assert line({"msg": "\udc80"}) == 'msg="\\udc80"'  # half a character, which no stream takes


def test_numbers_words_and_what_is_absent_have_no_quotes() -> None:
    assert line({"a": 1, "b": 2.345, "c": None, "d": "GET", "e": "/x"}) == 'a=1 b=2.3 c=- d=GET e="/x"'


@pytest.mark.parametrize("letter", ["x", "한", "\n", "\u2028", "𝔘"])
def test_a_long_value_loses_its_middle_and_the_line_keeps_within_the_bytes(letter: str) -> None:
    written = line({"at": "test", "msg": f"begin{letter * 50_000}the end", "request_id": "r" * 200})
    assert LONGEST_LINE - 100 < len(written.encode()) <= LONGEST_LINE
    read = parse(written)
    assert read["msg"].startswith(f"begin{letter}")
    assert read["msg"].endswith(f"{letter}the end")
    assert (read["at"], read["request_id"]) == ("test", "r" * 200)


def test_the_bound_is_kept_to_the_byte_and_several_long_values_are_all_cut() -> None:
    for length in range(8_980, 9_010):
        written = line({"msg": "x " * (length // 2)})
        assert len(written.encode()) <= LONGEST_LINE
        parse(written)
    written = line({"a": "한 " * 9_000, "b": "é " * 9_000, "c": "last"})
    assert len(written.encode()) <= LONGEST_LINE
    assert parse(written)["c"] == "last"
