"""Each operation has its section in the documentation, and lint lets it pass in the phase that it needs."""

from pathlib import Path

from app.release import operations
from tests.release.history import CONTRACT, EXPAND, findings_of_each
from tests.release.migrating import Database
from tests.release.operation_docs import PAGE, SECTION, regenerated
from tests.release.operation_phases import (
    AFTER_OTHERS,
    CONTRACTING,
    CONTRACTING_REPLACEMENTS,
    EXPANDING,
    EXPANDING_REPLACEMENTS,
    steps,
)

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


RENAMES = "rename_with_view"
EXPANDS = [call for name, call in EXPANDING.items() if name != RENAMES]
CONTRACTS, REPLACEMENTS = list(CONTRACTING.values()), list(CONTRACTING_REPLACEMENTS.values())


def test_each_passes_in_the_phase_that_it_needs_and_in_no_other(database: Database, tmp_path: Path) -> None:
    cases = {
        "expands": ([*EXPANDS, *EXPANDING_REPLACEMENTS.values(), EXPANDING[RENAMES]], EXPAND),
        "contracts": (CONTRACTS, CONTRACT),
        "replacements": (REPLACEMENTS, CONTRACT),
        "too early": (CONTRACTS, EXPAND),
        "replacements too early": (REPLACEMENTS, EXPAND),
    }
    found = findings_of_each(
        tmp_path, {name: (steps("\n".join(calls)), phase) for name, (calls, phase) in cases.items()}
    )
    assert found["expands"] == found["contracts"] == found["replacements"] == []
    for name, calls in (("too early", CONTRACTS), ("replacements too early", REPLACEMENTS)):
        assert all("An expand step must not" in finding.what for finding in found[name])
        lines = {int(finding.place.split(":")[1]) for finding in found[name]}
        assert len(lines) == len(calls), "each is refused by itself"


def test_each_operation_is_tried() -> None:
    assert {*EXPANDING, *CONTRACTING, "excused"} | AFTER_OTHERS == set(operations.__all__)
