"""Lint lets each operation pass in the phase that it needs, and in no other."""

from pathlib import Path

from app.release import operations
from app.release.lint import Finding
from tests.release.history import CONTRACT, EXPAND, findings_of_each
from tests.release.migrating import Database
from tests.release.operation_phases import (
    AFTER_OTHERS,
    CONTRACTING,
    CONTRACTING_REPLACEMENTS,
    EXPANDING,
    EXPANDING_REPLACEMENTS,
    steps,
)

EXPANDS = EXPANDING | EXPANDING_REPLACEMENTS
CONTRACTS = CONTRACTING | CONTRACTING_REPLACEMENTS
CASES = {
    **{(calls, EXPAND): (steps(calls), EXPAND) for calls in (*EXPANDS.values(), *CONTRACTS.values())},
    **{(calls, CONTRACT): (steps(calls), CONTRACT) for calls in CONTRACTS.values()},
}


def test_each_passes_in_the_phase_that_it_needs_and_in_no_other(database: Database, tmp_path: Path) -> None:
    """In one run of lint, because each run makes a database."""
    found = findings_of_each(tmp_path, CASES)
    assert {name: found[calls, EXPAND] for name, calls in EXPANDS.items() if found[calls, EXPAND]} == {}
    assert {name: found[calls, CONTRACT] for name, calls in CONTRACTS.items() if found[calls, CONTRACT]} == {}
    assert [name for name, calls in CONTRACTS.items() if not is_refused_as_expand(found[calls, EXPAND])] == []


def is_refused_as_expand(findings: list[Finding]) -> bool:
    return bool(findings) and all("An expand step must not" in finding.what for finding in findings)


def test_each_operation_is_tried() -> None:
    assert {*EXPANDING, *CONTRACTING, "excused"} | AFTER_OTHERS == set(operations.__all__)
