"""What is built once is used again, what was not finished is not, and what nobody needs goes."""

import os
import sys
from pathlib import Path

import pytest

from plain_server import builds
from plain_server.errors import DeployError
from plain_server.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.releases.mkdir()
    place.virtual_environments.mkdir()
    return place


def deployed(place: Place, commit: str, time: float, environment: str) -> None:
    checkout = place.releases / commit
    checkout.mkdir()
    (place.virtual_environments / environment).mkdir(exist_ok=True)
    (checkout / ".venv").symlink_to(place.virtual_environments / environment)
    os.utime(checkout, (time, time))


def test_a_virtual_environment_is_named_by_its_packages_and_its_python(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("flask==3.1.0\n")
    other.write_text("flask==3.1.1\n")
    assert builds.key(sys.executable, one) == builds.key(sys.executable, one)
    assert builds.key(sys.executable, one) != builds.key(sys.executable, other)


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    with pytest.raises(DeployError, match="/nowhere/python does not run; name another one as `python`"):
        builds.key("/nowhere/python", tmp_path / "requirements.txt")


def test_a_commit_without_requirements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"has no requirements\.txt"):
        builds.key(sys.executable, tmp_path / "requirements.txt")


@pytest.mark.parametrize("text", [None, "", "worker: flask worker\n", "# web: gunicorn\n", "web gunicorn\n"])
def test_a_commit_without_a_web_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "Procfile").write_text(text)
    with pytest.raises(DeployError, match="no Procfile with a line `web:`"):
        builds.procfile(tmp_path)


def test_a_command_of_the_procfile_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_text("# the web\nweb: gunicorn app:create_app\n\nclock: flask clock\n")
    assert builds.procfile(tmp_path) == {"web": "gunicorn app:create_app", "clock": "flask clock"}


def test_the_last_checkouts_and_the_live_one_are_kept_with_their_environments(place: Place) -> None:
    for number in range(8):
        deployed(place, f"commit-{number}", 1000 + number, f"venv-{number}")
    (place.virtual_environments / "unfinished").mkdir()
    builds.remove_old(place, live="commit-0")
    assert {path.name for path in place.releases.iterdir()} == {"commit-0", *(f"commit-{n}" for n in range(3, 8))}
    assert {path.name for path in place.virtual_environments.iterdir()} == {
        "venv-0",
        *(f"venv-{n}" for n in range(3, 8)),
    }
