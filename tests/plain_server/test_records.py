"""The record of releases survives whoever is killed while it writes."""

from pathlib import Path

import pytest

from tools.plain_server.records import FAILED, PENDING, SUCCEEDED, Records

OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "releases.jsonl")


def test_nothing_is_live_before_the_first_release_succeeds(records: Records) -> None:
    assert (records.all(), records.live()) == ([], None)
    records.begin(OLD, "push")
    assert records.live() is None


def test_the_newest_that_succeeded_is_live(records: Records) -> None:
    first = records.end(records.begin(OLD, "push"), SUCCEEDED)
    records.end(records.begin(NEW, "push"), FAILED, "push: it broke")
    records.begin(NEW, "push")
    assert records.live() == first
    assert [(one.version, one.status) for one in records.all()] == [(1, SUCCEEDED), (2, FAILED), (3, PENDING)]
    assert records.all()[1].description == "push: it broke"


def test_what_nobody_works_on_any_more_has_failed(records: Records) -> None:
    first = records.end(records.begin(OLD, "push"), SUCCEEDED)
    records.begin(NEW, "push")
    records.fail_interrupted()
    assert [(one.status, one.description) for one in records.all()] == [
        (SUCCEEDED, "push"),
        (FAILED, "push: interrupted"),
    ]
    assert records.live() == first


@pytest.mark.parametrize("kept", [1, -2])
def test_a_line_that_was_cut_counts_as_not_written_and_spoils_no_other(records: Records, kept: int) -> None:
    first = records.end(records.begin(OLD, "push"), SUCCEEDED)
    whole = records.file.read_bytes()
    records.end(records.begin(NEW, "push"), SUCCEEDED)
    lines = records.file.read_bytes().splitlines(keepends=True)
    records.file.write_bytes(b"".join(lines[:-1]) + lines[-1][:kept])
    assert records.file.read_bytes().startswith(whole)
    assert records.live() == first
    third = records.end(records.begin(NEW, "push"), SUCCEEDED)
    assert records.live() == third
    assert third.version == 3
