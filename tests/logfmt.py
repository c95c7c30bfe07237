"""A strict parser of logfmt, to read our log with: each line is pairs with one space between, or it is refused."""

import json
import re

MOST_BYTES = 9000
PAIR = re.compile(r'(?P<name>[a-z_]+)=(?:(?P<word>[^\s"=\\]+)|(?P<text>"(?:[^"\\]|\\.)*"))')


class Malformed(Exception):
    pass


def parse(line: str) -> dict[str, str]:
    """Return {name: value}. Raises: Malformed."""
    found: dict[str, str] = {}
    position = 0
    while True:
        pair = PAIR.match(line, position)
        if pair is None or pair["name"] in found:
            raise Malformed(f"no new pair at character {position} of: {line}")
        try:
            found[pair["name"]] = pair["word"] or json.loads(pair["text"])  # refuses control characters
        except ValueError:
            raise Malformed(f"an unknown escape in {pair['name']} of: {line}") from None
        position = pair.end()
        if position == len(line):
            return found
        if line[position] != " ":
            raise Malformed(f"no space at character {position} of: {line}")
        position += 1


def parse_all(log: bytes) -> list[dict[str, str]]:
    """Parse each line of a log. Raises: Malformed: also a line that is too long for a platform."""
    lines = log.splitlines()
    for line in lines:
        if len(line) > MOST_BYTES:
            raise Malformed(f"{len(line)} bytes, more than {MOST_BYTES}: {line[:200]!r}")
    return [parse(line.decode()) for line in lines]
