"""The table of ASVS 5.0 is whole: every requirement of levels 1 and 2 once, each with a state and a proof."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/asvs.md").read_text()
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
ROWS = ROW.findall(TABLE)
STATES = {"met", "n/a", "waived"}

# How many requirements of level 1 or 2 each chapter of ASVS 5.0.0 has.
CHAPTERS = {
    1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29,
    11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16, 17: 7,
}  # fmt: skip
# What is not a file: an address, a value, a header or a command.
FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")


def files(where: str) -> list[str]:
    return [name for name in FILE.findall(where) if "/" in name or re.search(r"\.(py|md|toml|txt)$", name)]


def test_every_requirement_is_there_once_and_every_row_of_the_table_is_read() -> None:
    ids = [id_ for id_, *_ in ROWS]
    assert [id_ for id_, count in Counter(ids).items() if count > 1] == []
    assert Counter(int(id_[1:].split(".")[0]) for id_ in ids) == CHAPTERS
    assert len(ROWS) == len(re.findall(r"^\| V", TABLE, re.MULTILINE))


def test_a_row_that_is_met_names_files_that_exist_and_any_other_says_why() -> None:
    assert {state for _, _, state, _ in ROWS} <= STATES
    gone = {id_: name for id_, _, _, where in ROWS for name in files(where) if not (ROOT / name).exists()}
    assert gone == {}
    proofless = [
        id_ for id_, _, state, where in ROWS if state == "met" and not files(where) and "`make audit`" not in where
    ]
    assert proofless == [], "name the test or the file that shows it"
    assert [id_ for id_, _, state, where in ROWS if state != "met" and len(where) < len("no SAML")] == [], "say why"


def test_the_sum_above_the_table_is_true() -> None:
    count = Counter(state for _, _, state, _ in ROWS)
    told = f"{count['met']} are met, {count['n/a']} do not apply, {count['waived']} are waived."
    assert f"Of {len(ROWS)} requirements {told}" in TABLE
