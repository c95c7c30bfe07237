"""The phase of a revision: whatever does not say expand counts as contract, the safe answer for a rollback."""

from pathlib import Path

import pytest

from app.release.ledger import phase_of
from tests.release.history import history


@pytest.mark.parametrize(
    ("constants", "phase"),
    [
        ('phase = "expand"', "expand"),
        ('phase = "contract"', "contract"),
        ("", "contract"),
        ('phase = "expnad"', "contract"),
        ('phase = "Expand"', "contract"),
        ("phase = None", "contract"),
        ("phase = True", "contract"),
    ],
)
def test_only_a_revision_that_says_expand_is_one(tmp_path: Path, constants: str, phase: str) -> None:
    revision = history(tmp_path, "pass", constants).get_revision("0002")
    assert phase_of(revision) == phase
