"""The content hash of a revision: of what it does, alike on every version of Python."""

from pathlib import Path

import pytest

from app.release.content_hash import content_hash

REVISION = '''\
"""Add notes.colour."""

from alembic import op

revision = "0002"
phase = "expand"


def upgrade() -> None:
    """Why."""
    op.execute(f"ALTER TABLE notes ADD colour {'text'}")  # a comment


def downgrade() -> None:
    pass
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "0002_add_notes_colour.py"
    path.write_text(REVISION)
    return path


def test_it_is_what_every_version_of_python_computes(file: Path) -> None:
    """Python 3.13 prints a syntax tree otherwise than 3.12. A ledger that one of them wrote is read by the next."""
    assert content_hash(file) == "72e7628bce56c8307e204035b9fee14c2678b8d4fb23bb0395990e2538e82a18"


@pytest.mark.parametrize(
    ("old", "new"),
    [('"0002"', '"0003"'), ("  # a comment", ""), ('"""Why."""', '"""Because."""'), ("Add notes.colour.", "Colours.")],
)
def test_numbers_comments_and_docstrings_do_not_count(file: Path, old: str, new: str) -> None:
    before = content_hash(file)
    file.write_text(REVISION.replace(old, new))
    assert content_hash(file) == before


@pytest.mark.parametrize(("old", "new"), [("colour", "color"), ('"expand"', '"contract"'), ("pass", "upgrade()")])
def test_what_it_does_counts(file: Path, old: str, new: str) -> None:
    before = content_hash(file)
    file.write_text(REVISION.replace(old, new))
    assert content_hash(file) != before
