"""The releases that bench.preboot makes of this code: each differs from the one before as a real one does."""

import ast
from pathlib import Path

import pytest

from tools.bench.preboot import releases
from tools.bench.preboot.letters import Letters

ROOT = Path(__file__).parents[2]


def test_each_anchor_stands_once_in_its_file() -> None:
    counts = {place: (ROOT / place.split(" ")[0]).read_text().count(text) for place, text in releases.ANCHORS.items()}
    assert counts == dict.fromkeys(releases.ANCHORS, 1)


@pytest.mark.parametrize(
    ("number", "phase", "upgrade", "column"),
    [(0, "expand", ["add 0"], 0), (2, "contract", ["drop 0"], 1), (3, "expand", ["add 3", "retire 1"], 3)],
)
def test_a_release_adds_a_column_that_its_pages_need_or_drops_the_one_before(
    number: int, phase: str, upgrade: list[str], column: int
) -> None:
    texts = {"add": releases.ADD, "retire": releases.RETIRE, "drop": releases.DROP}
    files = releases.release(ROOT, number, "0043")
    for text in files.values():
        ast.parse(text)
    revision = files[f"migrations/versions/{44 + number:04}_bench.py"]
    assert f'revision = "{44 + number:04}"\ndown_revision = "{43 + number:04}"\nphase = "{phase}"\n' in revision
    steps = "\n".join(texts[step.split()[0]].format(step.split()[1]) for step in upgrade)
    assert f"def upgrade() -> None:\n{steps}\n\n" in revision
    assert f"bench_{column}: Mapped[int]" in files[releases.MODELS]
    service = files[releases.SERVICE]
    assert (service.count(f"bench_{column}"), service.count("bench_")) == (3, 3)  # inserted, its value, read


def test_a_letter_that_did_not_come_is_lost_and_one_that_came_again_is_told() -> None:
    letters = Letters(deferred=["a", "b", "c"])
    letters.mailbox.recipients += ["a", "b", "b"]
    assert (letters.lost, letters.twice) == (1, 1)
