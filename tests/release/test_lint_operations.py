"""Lint lets each operation pass in the phase that it needs, and in no other."""

from collections.abc import Iterator

import pytest

from app.release import operations
from app.release.lint import Finding
from tests.databases import Environment, empty_database
from tests.release.history import CONTRACT, EXPAND, findings_of_each
from tests.release.migrating import connected
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


@pytest.fixture(scope="module")
def found(
    server_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], list[Finding]]]:
    """What lint says of the calls as an expand and as a contract, in one run: each run makes a database."""
    with empty_database(server_environment) as environment, connected(environment):
        yield findings_of_each(tmp_path_factory.mktemp("operations"), CASES)


@pytest.mark.parametrize("calls", EXPANDS.values(), ids=EXPANDS)
def test_an_operation_passes_as_an_expand(found: dict[tuple[str, str], list[Finding]], calls: str) -> None:
    assert found[calls, EXPAND] == []


@pytest.mark.parametrize("calls", CONTRACTS.values(), ids=CONTRACTS)
def test_one_that_takes_or_requires_passes_as_a_contract_alone(
    found: dict[tuple[str, str], list[Finding]], calls: str
) -> None:
    assert found[calls, EXPAND]
    assert all("An expand step must not" in finding.what for finding in found[calls, EXPAND])
    assert found[calls, CONTRACT] == []


def test_each_operation_is_tried() -> None:
    assert {*EXPANDING, *CONTRACTING, "excused"} | AFTER_OTHERS == set(operations.__all__)
