"""logfmt: a line of name=value pairs. A value of more than a word stands in quotes, and is then a string of JSON.

A line has at most LONGEST_LINE bytes: Heroku's Logplex splits one at 10,000, and the rest has neither its beginning nor
its request id. What is too long is cut in the middle, since a traceback ends with what happened.
"""

import re
from collections.abc import Iterable, Mapping

Value = str | int | float | None

LONGEST_LINE = 9000  # bytes, not characters: a Korean letter has three
MOST_OF_A_LETTER = 4  # bytes
HEAD = 2000  # bytes that are kept of the beginning of a value that is cut
CUT = " … "
ABSENT = "-"

_WORD = re.compile(r"[A-Za-z0-9._:-]+")
# Quotes, control characters, what changes the direction of writing, and halves of a character, which no stream takes.
_ESCAPED = re.compile('[\x00-\x1f"\\\\\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def line(fields: Mapping[str, Value]) -> str:
    pairs = {name: f"{name}={_written(value)}" for name, value in fields.items()}
    written = " ".join(pairs.values())
    if len(written) * MOST_OF_A_LETTER <= LONGEST_LINE:
        return written
    while (excess := _size(pairs.values()) - LONGEST_LINE) > 0:
        longest = max(pairs, key=lambda name: len(pairs[name].encode()))
        room = len(pairs[longest].encode()) - len(f'{longest}=""') - excess
        pairs[longest] = f'{longest}="{_cut(str(fields[longest]), room)}"'
    return " ".join(pairs.values())


def _size(pairs: Iterable[str]) -> int:
    return sum(len(pair.encode()) + 1 for pair in pairs) - 1


def _written(value: Value) -> str:
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else f'"{_escape(value)}"'
    if value is None:
        return ABSENT
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    return _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)


def _cut(text: str, room: int) -> str:
    """Return beginning and end of the text, escaped, in at most `room` bytes."""
    head = _fitting(text, min(HEAD, room // 4))
    tail = _fitting(reversed(text), room - len("".join([*head, CUT]).encode()))
    return "".join([*head, CUT, *reversed(tail)]) if tail else ""


def _fitting(letters: Iterable[str], room: int) -> list[str]:
    """Return the first letters that have room, each escaped as a whole."""
    fitting = []
    for letter in letters:
        written = _escape(letter)
        room -= len(written.encode())
        if room < 0:
            break
        fitting.append(written)
    return fitting
