"""The heartbeat files are in memory where it takes a file, else with the temporary ones, else the start is refused."""

import tempfile
from pathlib import Path

import pytest

from http_server.worker import heartbeat_folder


def test_it_is_memory(tmp_path: Path) -> None:
    assert heartbeat_folder(str(tmp_path)) == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("unusable", ["/nowhere", __file__, "/proc"])
def test_without_it_they_are_with_the_temporary_files(unusable: str) -> None:
    assert heartbeat_folder(unusable) == tempfile.gettempdir()


def test_without_any_the_start_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc")
    with pytest.raises(
        SystemExit, match=r"^Error: /dev/null, TMPDIR and /tmp take no file \(.*\); mount a tmpfs"
    ) as exit:
        heartbeat_folder("/dev/null")
    assert "\n" not in str(exit.value)
