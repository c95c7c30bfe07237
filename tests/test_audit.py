"""What was not checked for known vulnerabilities never passes as good (a false green of pip-audit)."""

import json
from typing import Any

from tools.audit import NOT_CHECKED, judge

GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "pillow", "version": "9.0.0", "vulns": [{"id": "PYSEC-2022-10", "fix_versions": ["9.0.1"]}]}
UNFIXED = {"name": "x", "version": "1", "vulns": [{"id": "GHSA-1", "fix_versions": []}]}
SKIPPED = {"name": "pillow", "skip_reason": "Dependency not found on PyPI and could not be audited: pillow (9.0.0)"}


def judged(*packages: dict[str, Any]) -> tuple[str, bool]:
    return judge(json.dumps({"dependencies": packages, "fixes": []}))


def test_packages_that_were_all_checked_pass() -> None:
    said, passes = judged(GOOD, GOOD)
    assert passes
    assert NOT_CHECKED not in said
    assert "2 packages" in said


def test_a_known_vulnerability_fails_and_is_named() -> None:
    said, passes = judged(GOOD, BAD, SKIPPED, UNFIXED)
    assert not passes
    assert "PYSEC-2022-10, fixed in 9.0.1" in said
    assert "GHSA-1, fixed in none" in said


def test_where_nothing_could_be_checked_it_says_so_and_stops_nobody() -> None:
    for said, passes in (judged(SKIPPED, SKIPPED), judge("")):
        assert passes
        assert NOT_CHECKED in said
        assert "no known" not in said.lower()


def test_where_only_some_were_checked_it_fails_and_names_the_others() -> None:
    said, passes = judged(GOOD, SKIPPED)
    assert not passes
    assert f"{NOT_CHECKED}: pillow" in said
