"""The heads as the files write them, without Alembic: they are Alembic's, or it is left to Alembic to tell them."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from online_migrations.state import written_heads
from tests.databases import MIGRATIONS

FIRST = 'revision = "1"\ndown_revision = None\n'


@pytest.mark.parametrize(
    ("files", "heads"),
    [
        ([FIRST], ["1"]),
        ([FIRST, 'revision = "2"\ndown_revision = "1"'], ["2"]),
        ([FIRST, 'revision: str = "2"\ndown_revision: str | None = "1"'], ["2"]),
        ([FIRST, 'revision = "3"\ndown_revision = "1"', 'revision = "2"\ndown_revision = "1"'], ["2", "3"]),
        ([FIRST, 'revision = "2"\ndown_revision = None', 'revision = "3"\ndown_revision = ("1", "2")'], ["3"]),
        ([FIRST, 'revision = "2"\ndown_revision = "1"\nbranch_labels = ("moon",)\ndepends_on = None'], ["2"]),
        ([FIRST, '"""\nrevision = "9"\n"""\nrevision = "달"\ndown_revision = "1"'], ["달"]),
        ([FIRST, 'revision = "2"\ndown_revision = "1"\ndef upgrade():\n    revision = "9"'], ["2"]),
        ([FIRST, 'raise SystemExit("not run")\n'], None),
        ([FIRST, "nothing here\n"], None),
        ([FIRST, FIRST], None),
        ([FIRST, 'revision = "2"\ndown_revision = "lost"'], None),
        ([FIRST, 'revision = "2"\ndown_revision = 1'], None),
        ([FIRST, 'revision = 2\ndown_revision = "1"'], None),
        ([FIRST, 'revision = "2"'], None),
        ([FIRST, 'down_revision = "1"'], None),
        ([FIRST, 'revision = "2"\ndown_revision = "1"\ndepends_on = "1"'], None),
        ([FIRST, 'revision = str(2)\ndown_revision = "1"'], None),
        ([FIRST, 'revision = "2"\ndown_revision = "1"\nif True:\n    revision = "3"'], None),
        ([FIRST, 'revision, down_revision = "2", "1"'], None),
        ([FIRST, 'revision = "2"\ndown_revision = "1"\nrevision += "3"'], None),
        (['revision = "1"\ndown_revision = "1"'], None),
        ([], None),
    ],
)
def test_more_than_constants_is_left_to_alembic(tmp_path: Path, files: list[str], heads: list[str] | None) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "__init__.py").write_text("")  # which is no revision to Alembic either
    for number, file in enumerate(files):
        (versions / f"{number}.py").write_text(file)
    assert written_heads(versions) == heads
    if heads:
        assert sorted(ScriptDirectory(str(tmp_path)).get_heads()) == heads


def test_of_our_own_files_they_are_known() -> None:
    assert written_heads(MIGRATIONS / "versions") == list(ScriptDirectory(str(MIGRATIONS)).get_heads())
