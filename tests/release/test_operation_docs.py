"""Describe each operation in a section of the documentation, whose signature and SQL are those of the code."""

from app.release import operations
from tests.release.operation_docs import PAGE, SECTION, regenerated

EXCUSE = "excused"  # no operation; see docs/schema-changes.md


def test_signatures_and_sql_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert regenerated(page) == page, "write them again: python -m tests.release.operation_docs"


def test_every_operation_has_its_section_and_no_other_has_one() -> None:
    sections = [section["name"] for section in SECTION.finditer(PAGE.read_text())]
    assert {*sections, EXCUSE} == set(operations.__all__)


def test_every_section_shows_the_sql_of_an_example_and_says_how_it_behaves() -> None:
    page = PAGE.read_text()
    for section in page.split("\n### ")[1:]:
        for part in ("```sql\n", "**Waits:**", "**Run again:**", "**Downgrade:**"):
            assert part in section, f"{section.splitlines()[0]} lacks {part}"


def test_another_sql_or_signature_is_noticed() -> None:
    page = PAGE.read_text()
    for wrong in (page.replace("IF NOT EXISTS colour", "colour"), page.replace("(table, column)", "(table)")):
        assert wrong != page
        assert regenerated(wrong) == page
